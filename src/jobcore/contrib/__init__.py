"""Storages for other libraries, one module for each; whoever imports one must have its library installed."""
