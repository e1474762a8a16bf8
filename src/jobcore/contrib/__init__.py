"""What puts jobcore under other libraries: a module for each, named after it, which needs that library."""
