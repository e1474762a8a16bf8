# cython: language_level=3, freethreading_compatible=True, auto_pickle=False, autotestdict=False
# cython: embedsignature=True, embedsignature.format=python, binding=True
"""A coroutine made by hand: a call that runs when it is awaited, and nearly always ends without waiting.

To Python it is a coroutine in all that the protocol asks: lazy, awaited once, closed, thrown into, wrapped in a task,
and it warns when nobody awaited it. What it saves is the frame: `await storage.push(job)` through an `async def` costs
80 ns before the first line of its body runs, a third of what the whole verb may cost; this costs 40. A call that has
to wait goes on in an ordinary coroutine (`rest`), to which everything is passed.

`am_send` is the slot that `await` (3.11) and asyncio's tasks use; it hands a result over without the StopIteration
that `__next__` has to make. Cython fills it for its own coroutines only, hence the line at the end that sets it.
"""

cimport cython
from cpython.exc cimport PyErr_WriteUnraisable
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF

import warnings
from collections.abc import Coroutine

cdef extern from "Python.h":
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    ctypedef PySendResult (*sendfunc)(PyObject* self, PyObject* value, PyObject** result) noexcept
    ctypedef struct PyAsyncMethods:
        sendfunc am_send
    ctypedef struct PyTypeObject:
        PyAsyncMethods* tp_as_async
    PySendResult PyIter_Send(PyObject* iterator, PyObject* value, PyObject** result) noexcept


@cython.final
@cython.freelist(32)
cdef class Call:
    """A call of a storage, to be awaited."""

    def __await__(self):
        return self

    def __next__(self):
        return self.send(None)

    def send(self, value):
        """Start the call, or pass a value to what it waits for."""
        if self.rest is None:
            outcome = start(self, value)
            if self.rest is None:
                raise StopIteration(outcome)
        return self.rest.send(value)

    def throw(self, kind, value=None, traceback=None):
        """Raise an exception where the call waits."""
        if self.rest is not None:
            return self.rest.throw(kind) if value is None else self.rest.throw(kind, value, traceback)
        self.started = True
        if value is None:
            raise kind
        raise value.with_traceback(traceback)

    def close(self):
        """End the call, wherever it is."""
        self.started = True
        if self.rest is not None:
            self.rest.close()

    @property
    def __name__(self):
        return self.name.decode()

    @property
    def __qualname__(self):
        return "MemoryStorage." + self.name.decode()

    @property
    def cr_frame(self):
        """Where the call waits."""
        return None if self.rest is None else self.rest.cr_frame

    @property
    def cr_await(self):
        """What the call waits for."""
        return None if self.rest is None else self.rest.cr_await

    @property
    def cr_running(self):
        """Whether the call is running this moment."""
        return self.rest is not None and self.rest.cr_running

    def __dealloc__(self):
        if not self.started:
            try:
                warnings.warn(f"call '{self.name.decode()}' was never awaited", RuntimeWarning, stacklevel=1)
            except Warning:  # an error by the filters, but nothing is raised from here
                PyErr_WriteUnraisable(type(self))


cdef Call new_call(const char* name, Verb verb, object owner, object first, object second, object third):
    cdef Call call = Call.__new__(Call)
    call.name = name
    call.verb = verb
    call.owner = owner
    call.first = first
    call.second = second
    call.third = third
    return call


cdef object start(Call call, object value):
    # The result, unless `call.rest` is there afterwards.
    if call.started:
        raise RuntimeError("cannot reuse already awaited coroutine")
    if value is not None:
        raise TypeError("can't send non-None value to a just-started coroutine")
    call.started = True
    return call.verb(call)


cdef PySendResult send(PyObject* self, PyObject* value, PyObject** result) except PYGEN_ERROR:
    cdef Call call = <Call>self
    result[0] = NULL
    if call.rest is None:
        outcome = start(call, <object>value)
        if call.rest is None:
            Py_INCREF(outcome)
            result[0] = <PyObject*>outcome
            return PYGEN_RETURN
    return PyIter_Send(<PyObject*>call.rest, value, result)


Coroutine.register(Call)
(<PyTypeObject*>Call).tp_as_async.am_send = <sendfunc>send
