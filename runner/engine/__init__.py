"""How tokens are made: slots, the loop in the open, and the library's own generate."""
