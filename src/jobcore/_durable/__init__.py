"""What the durable storages have in common: the façade, requests and their answers, pops that wait. No database."""
