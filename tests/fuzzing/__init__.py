"""Coverage-guided fuzzing of every parser of text from outside, and of the endpoints and views as a whole."""
