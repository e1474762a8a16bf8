"""jobcore under the queues that people already use: adapters, each for a library of others."""
