"""What a route takes and gives, as types. For the library itself."""
