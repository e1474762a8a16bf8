"""jobcore under the queues that people already use: an adapter a module, each for a library that it does not install."""
