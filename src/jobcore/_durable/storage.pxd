from jobcore._durable.requests cimport Pop, Request
from jobcore._native cimport uuid7, uuid_bytes
from jobcore.jobs._checks cimport check_int, check_queue, check_uuid
from jobcore.jobs._new cimport spec_key
from jobcore.jobs._returned cimport key_of
