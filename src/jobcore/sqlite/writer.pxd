from jobcore._durable.inbox cimport Inbox
from jobcore._durable.requests cimport Answers, Pop, Request, share, undoing
