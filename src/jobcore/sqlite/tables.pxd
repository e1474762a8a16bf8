from jobcore.jobs._job cimport JobInfo, loaded, retried
from jobcore.jobs._returned cimport ReturnJobInfo
