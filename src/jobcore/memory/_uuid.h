#pragma once

// uuid.UUID to and from 128 bits without going through its constructor: a bare instance gets its two slots set where
// the type's own member descriptors say they are. (41 ns instead of 700.)

#include <Python.h>
#if PY_VERSION_HEX < 0x030C0000
#include <structmember.h>  // PyMemberDef
#endif

#include <cstdint>

namespace jobcore {

inline PyTypeObject* uuid_type = nullptr;
inline PyObject* uuid_safety = nullptr;
inline Py_ssize_t uuid_int_offset = 0;
inline Py_ssize_t uuid_safety_offset = 0;

inline Py_ssize_t slot_offset(PyTypeObject* type, const char* name) {
    PyObject* descriptor = PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), name);
    if (descriptor == nullptr) {
        return -1;
    }
    Py_ssize_t offset = -1;
    if (Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) {
        offset = reinterpret_cast<PyMemberDescrObject*>(descriptor)->d_member->offset;
    } else {
        PyErr_Format(PyExc_ImportError, "uuid.UUID.%s is not a slot on this interpreter", name);
    }
    Py_DECREF(descriptor);
    return offset;
}

// To be called at import; -1 with an exception set where UUID is not made of slots.
inline int uuid_setup(PyObject* type, PyObject* safety) {
    uuid_type = reinterpret_cast<PyTypeObject*>(Py_NewRef(type));
    uuid_safety = Py_NewRef(safety);
    uuid_int_offset = slot_offset(uuid_type, "int");
    uuid_safety_offset = uuid_int_offset < 0 ? -1 : slot_offset(uuid_type, "is_safe");
    return uuid_safety_offset < 0 ? -1 : 0;
}

inline PyObject*& slot(PyObject* object, Py_ssize_t offset) {
    return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
}

inline void write_bytes(std::uint64_t value, unsigned char* bytes) {
    for (int i = 0; i < 8; ++i) {
        bytes[i] = static_cast<unsigned char>(value >> (8 * i));
    }
}

inline std::uint64_t read_bytes(const unsigned char* bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) {
        value |= std::uint64_t{bytes[i]} << (8 * i);
    }
    return value;
}

// A new reference, or null with an exception set.
inline PyObject* uuid_from_halves(std::uint64_t high, std::uint64_t low) {
    unsigned char bytes[16];
    write_bytes(low, bytes);
    write_bytes(high, bytes + 8);
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* number = PyLong_FromUnsignedNativeBytes(bytes, sizeof bytes, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
    PyObject* number = _PyLong_FromByteArray(bytes, sizeof bytes, 1, 0);
#endif
    if (number == nullptr) {
        return nullptr;
    }
    PyObject* uuid = uuid_type->tp_alloc(uuid_type, 0);
    if (uuid == nullptr) {
        Py_DECREF(number);
        return nullptr;
    }
    slot(uuid, uuid_int_offset) = number;
    slot(uuid, uuid_safety_offset) = Py_NewRef(uuid_safety);
    return uuid;
}

inline bool is_uuid(PyObject* object) { return PyObject_TypeCheck(object, uuid_type); }

// Of an object for which `is_uuid` holds; -1 with an exception set for one that was never initialised.
inline int uuid_to_halves(PyObject* uuid, std::uint64_t* high, std::uint64_t* low) {
    PyObject* number = slot(uuid, uuid_int_offset);
    if (number == nullptr || !PyLong_Check(number)) {
        PyErr_SetString(PyExc_TypeError, "this UUID has no value");
        return -1;
    }
    unsigned char bytes[16];
#if PY_VERSION_HEX >= 0x030D0000
    const int flags = Py_ASNATIVEBYTES_LITTLE_ENDIAN | Py_ASNATIVEBYTES_UNSIGNED_BUFFER;
    if (PyLong_AsNativeBytes(number, bytes, sizeof bytes, flags) < 0) {
        return -1;
    }
#else
    if (_PyLong_AsByteArray(reinterpret_cast<PyLongObject*>(number), bytes, sizeof bytes, 1, 0) < 0) {
        return -1;
    }
#endif
    *low = read_bytes(bytes);
    *high = read_bytes(bytes + 8);
    return 0;
}

}  // namespace jobcore
