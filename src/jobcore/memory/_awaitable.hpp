#pragma once

// A coroutine made by hand: a call that runs when it is awaited, and nearly always ends without waiting.
//
// To Python it is a coroutine in all that the protocol asks: lazy, awaited once, closed, thrown into, wrapped in a
// task, and it warns when nobody awaited it. What it saves is the frame: `await storage.push(job)` through an
// `async def` costs 80 ns before the first line of its body runs, a third of what the whole verb may cost; this costs
// 35. A call that has to wait goes on in an ordinary coroutine (`rest`), to which everything is passed.
//
// `am_send` is what `await` (3.11) and asyncio's tasks use: it hands a result over without the StopIteration that
// `__next__` has to make. The garbage collector knows of a call only while it waits: before that, nothing that it
// refers to leads back to it.

#include <Python.h>

namespace jobcore {

struct Call {
    PyObject_HEAD
    // Does the work. Returns the result (a new reference), or leaves a coroutine in `rest` that will.
    PyObject* (*verb)(Call*);
    const char* name;
    PyObject* owner;
    PyObject* first;
    PyObject* second;
    PyObject* third;
    PyObject* rest;
    bool started;
};

using Verb = PyObject* (*)(Call*);

inline PyTypeObject* call_type = nullptr;

// Calls come and go one by one, so a few blocks are kept. (Not without a GIL: they would need a lock.)
#ifndef Py_GIL_DISABLED
inline Call* spare_calls[16];
inline int spare_call_count = 0;
#endif

inline Call* as_call(PyObject* self) {
    return reinterpret_cast<Call*>(self);
}

// References to `owner` and the arguments are taken; the arguments may be null.
inline PyObject* new_call(const char* name, Verb verb, PyObject* owner, PyObject* first, PyObject* second,
                          PyObject* third) {
    Call* call = nullptr;
#ifndef Py_GIL_DISABLED
    if (spare_call_count > 0) {
        call = spare_calls[--spare_call_count];
        PyObject_Init(reinterpret_cast<PyObject*>(call), call_type);
    }
#endif
    if (call == nullptr) {
        call = PyObject_GC_New(Call, call_type);
        if (call == nullptr) {
            return nullptr;
        }
    }
    call->verb = verb;
    call->name = name;
    call->owner = Py_NewRef(owner);
    call->first = Py_XNewRef(first);
    call->second = Py_XNewRef(second);
    call->third = Py_XNewRef(third);
    call->rest = nullptr;
    call->started = false;
    return reinterpret_cast<PyObject*>(call);
}

inline int call_clear(PyObject* self) {
    Call* call = as_call(self);
    Py_CLEAR(call->owner);
    Py_CLEAR(call->first);
    Py_CLEAR(call->second);
    Py_CLEAR(call->third);
    Py_CLEAR(call->rest);
    return 0;
}

inline int call_traverse(PyObject* self, visitproc visit, void* arg) {
    Call* call = as_call(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(call->owner);
    Py_VISIT(call->first);
    Py_VISIT(call->second);
    Py_VISIT(call->third);
    Py_VISIT(call->rest);
    return 0;
}

inline void warn_never_awaited(Call* call) {
    PyObject *kind, *value, *traceback;
    PyErr_Fetch(&kind, &value, &traceback);
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine 'MemoryStorage.%s' was never awaited", call->name) < 0) {
        PyErr_WriteUnraisable(call->owner);
    }
    PyErr_Restore(kind, value, traceback);
}

inline void call_dealloc(PyObject* self) {
    Call* call = as_call(self);
    // Also without a `rest`: the collector takes it from a call of a cycle before it lets go of the call.
    PyObject_GC_UnTrack(self);
    if (!call->started) {
        warn_never_awaited(call);
    }
    call_clear(self);
    PyTypeObject* type = Py_TYPE(self);
#ifndef Py_GIL_DISABLED
    if (spare_call_count < static_cast<int>(sizeof spare_calls / sizeof *spare_calls)) {
        spare_calls[spare_call_count++] = call;
        Py_DECREF(type);
        return;
    }
#endif
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

inline PySendResult call_send(PyObject* self, PyObject* value, PyObject** result) {
    Call* call = as_call(self);
    *result = nullptr;
    if (call->rest == nullptr) {
        if (call->started) {
            PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
            return PYGEN_ERROR;
        }
        if (value != Py_None) {
            PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started coroutine");
            return PYGEN_ERROR;
        }
        call->started = true;
        PyObject* outcome = call->verb(call);
        if (call->rest == nullptr) {
            *result = outcome;
            return outcome == nullptr ? PYGEN_ERROR : PYGEN_RETURN;
        }
        Py_XDECREF(outcome);
        PyObject_GC_Track(self);
    }
    return PyIter_Send(call->rest, value, result);
}

// What a call yields, or null with the exception that ends it: a StopIteration with the result, or an error.
inline PyObject* call_step(PyObject* self, PyObject* value) {
    PyObject* result = nullptr;
    switch (call_send(self, value, &result)) {
        case PYGEN_NEXT:
            return result;
        case PYGEN_RETURN:
            PyErr_SetObject(PyExc_StopIteration, result);
            Py_DECREF(result);
            return nullptr;
        default:
            return nullptr;
    }
}

inline PyObject* call_await(PyObject* self) {
    return Py_NewRef(self);
}

inline PyObject* call_next(PyObject* self) {
    return call_step(self, Py_None);
}

inline PyObject* call_throw(PyObject* self, PyObject* args) {
    Call* call = as_call(self);
    if (call->rest != nullptr) {
        PyObject* throw_into_rest = PyObject_GetAttrString(call->rest, "throw");
        PyObject* yielded = throw_into_rest == nullptr ? nullptr : PyObject_CallObject(throw_into_rest, args);
        Py_XDECREF(throw_into_rest);
        return yielded;
    }
    PyObject *kind, *value = nullptr, *traceback = nullptr;
    if (!PyArg_ParseTuple(args, "O|OO:throw", &kind, &value, &traceback)) {
        return nullptr;
    }
    call->started = true;
    if (PyExceptionInstance_Check(kind)) {
        PyErr_SetObject(PyExceptionInstance_Class(kind), kind);
    } else if (PyExceptionClass_Check(kind)) {
        PyErr_SetObject(kind, value);
    } else {
        PyErr_SetString(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException");
    }
    return nullptr;
}

inline PyObject* call_close(PyObject* self, PyObject*) {
    Call* call = as_call(self);
    call->started = true;
    if (call->rest == nullptr) {
        Py_RETURN_NONE;
    }
    return PyObject_CallMethod(call->rest, "close", nullptr);
}

inline PyObject* call_name(PyObject* self, void*) {
    return PyUnicode_FromString(as_call(self)->name);
}

inline PyObject* call_qualified_name(PyObject* self, void*) {
    return PyUnicode_FromFormat("MemoryStorage.%s", as_call(self)->name);
}

// What tools ask of a coroutine is answered by the one that does the waiting.
inline PyObject* call_of_rest(PyObject* self, void* attribute) {
    Call* call = as_call(self);
    if (call->rest == nullptr) {
        Py_RETURN_NONE;
    }
    return PyObject_GetAttrString(call->rest, static_cast<const char*>(attribute));
}

inline PyObject* call_flag_of_rest(PyObject* self, void* attribute) {
    return as_call(self)->rest == nullptr ? Py_NewRef(Py_False) : call_of_rest(self, attribute);
}

#if PY_VERSION_HEX >= 0x030F0000
inline PyObject* call_state(PyObject* self, void* attribute) {
    Call* call = as_call(self);
    if (call->rest != nullptr) {
        return call_of_rest(self, attribute);
    }
    return PyUnicode_FromString(call->started ? "CORO_CLOSED" : "CORO_CREATED");
}
#endif

// Makes the type; a new reference, or null with an exception set.
inline PyObject* call_setup() {
    static PyMethodDef methods[] = {
        {"send", call_step, METH_O, "Start the call, or pass a value to what it waits for."},
        {"throw", call_throw, METH_VARARGS, "Raise an exception where the call waits."},
        {"close", call_close, METH_NOARGS, "End the call, wherever it is."},
        {nullptr, nullptr, 0, nullptr},
    };
    static char frame[] = "cr_frame";
    static char awaited[] = "cr_await";
    static char running[] = "cr_running";
    static char suspended[] = "cr_suspended";
    [[maybe_unused]] static char state[] = "cr_state";
    static PyGetSetDef attributes[] = {
#if PY_VERSION_HEX >= 0x030F0000
        {state, call_state, nullptr, "What inspect.getcoroutinestate says of the call.", state},
#endif
        {"__name__", call_name, nullptr, nullptr, nullptr},
        {"__qualname__", call_qualified_name, nullptr, nullptr, nullptr},
        {frame, call_of_rest, nullptr, "Where the call waits.", frame},
        {awaited, call_of_rest, nullptr, "What the call waits for.", awaited},
        {running, call_flag_of_rest, nullptr, "Whether the call runs this moment.", running},
        {suspended, call_flag_of_rest, nullptr, "Whether the call waits.", suspended},
        {nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    static PyType_Slot slots[] = {
        {Py_tp_doc, const_cast<char*>("A call of a storage, to be awaited.")},
        {Py_tp_dealloc, reinterpret_cast<void*>(call_dealloc)},
        {Py_tp_traverse, reinterpret_cast<void*>(call_traverse)},
        {Py_tp_clear, reinterpret_cast<void*>(call_clear)},
        {Py_tp_iternext, reinterpret_cast<void*>(call_next)},
        {Py_tp_methods, methods},
        {Py_tp_getset, attributes},
        {Py_am_await, reinterpret_cast<void*>(call_await)},
        {Py_am_send, reinterpret_cast<void*>(call_send)},
        {0, nullptr},
    };
    static PyType_Spec spec = {
        "jobcore.memory._calls.Call",
        sizeof(Call),
        0,
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
        slots,
    };
    PyObject* type = PyType_FromSpec(&spec);
    call_type = reinterpret_cast<PyTypeObject*>(Py_XNewRef(type));
    return type;
}

}  // namespace jobcore
