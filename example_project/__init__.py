"""An authorization server, an API that trusts it and a web page that uses the API: processes from one code base."""
