"""The order book: a web page that shows what its token may do at the orders API."""
