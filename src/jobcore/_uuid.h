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

// The digits of a Python int, where this interpreter lets us see them; its own byte-wise conversions take 200
// instructions each, four times in the life of a job.
#if PY_VERSION_HEX < 0x030E0000 && PYLONG_BITS_IN_DIGIT == 30
#define JOBCORE_DIGITS 1
#if PY_VERSION_HEX >= 0x030C0000
inline digit* digits_of(PyObject* number) {
    return reinterpret_cast<PyLongObject*>(number)->long_value.ob_digit;
}
inline Py_ssize_t signed_size(PyObject* number) {
    const auto tag = reinterpret_cast<PyLongObject*>(number)->long_value.lv_tag;
    return (1 - static_cast<Py_ssize_t>(tag & 3)) * static_cast<Py_ssize_t>(tag >> 3);
}
#else
inline digit* digits_of(PyObject* number) {
    return reinterpret_cast<PyLongObject*>(number)->ob_digit;
}
inline Py_ssize_t signed_size(PyObject* number) {
    return Py_SIZE(number);
}
#endif
#endif

// A new reference, or null with an exception set.
inline PyObject* int_from_halves(std::uint64_t high, std::uint64_t low) {
#ifdef JOBCORE_DIGITS
    constexpr std::uint64_t mask = (std::uint64_t{1} << 30) - 1;
    const digit top = static_cast<digit>(high >> 56);
    if (top != 0) {
        PyLongObject* number = _PyLong_New(5);
        if (number != nullptr) {
            digit* digits = digits_of(reinterpret_cast<PyObject*>(number));
            digits[0] = static_cast<digit>(low & mask);
            digits[1] = static_cast<digit>(low >> 30 & mask);
            digits[2] = static_cast<digit>((low >> 60 | high << 4) & mask);
            digits[3] = static_cast<digit>(high >> 26 & mask);
            digits[4] = top;
        }
        return reinterpret_cast<PyObject*>(number);
    }
#endif
    unsigned char bytes[16];
    for (int i = 0; i < 8; ++i) {
        bytes[i] = static_cast<unsigned char>(low >> (8 * i));
        bytes[8 + i] = static_cast<unsigned char>(high >> (8 * i));
    }
#if PY_VERSION_HEX >= 0x030D0000
    return PyLong_FromUnsignedNativeBytes(bytes, sizeof bytes, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
    return _PyLong_FromByteArray(bytes, sizeof bytes, 1, 0);
#endif
}

// -1 with an exception set where the number has more than 128 bits or is negative.
inline int int_to_halves(PyObject* number, std::uint64_t* high, std::uint64_t* low) {
#ifdef JOBCORE_DIGITS
    if (signed_size(number) == 5) {
        const digit* digits = digits_of(number);
        *low = digits[0] | std::uint64_t{digits[1]} << 30 | std::uint64_t{digits[2]} << 60;
        *high = digits[2] >> 4 | std::uint64_t{digits[3]} << 26 | std::uint64_t{digits[4]} << 56;
        return 0;
    }
#endif
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
    *high = *low = 0;
    for (int i = 7; i >= 0; --i) {
        *low = *low << 8 | bytes[i];
        *high = *high << 8 | bytes[8 + i];
    }
    return 0;
}

// A new reference, or null with an exception set.
inline PyObject* uuid_from_halves(std::uint64_t high, std::uint64_t low) {
    PyObject* number = int_from_halves(high, low);
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

inline bool is_uuid(PyObject* object) {
    return PyObject_TypeCheck(object, uuid_type);
}

// Of an object for which `is_uuid` holds; -1 with an exception set for one that was never initialised.
inline int uuid_to_halves(PyObject* uuid, std::uint64_t* high, std::uint64_t* low) {
    PyObject* number = slot(uuid, uuid_int_offset);
    if (number == nullptr || !PyLong_Check(number)) {
        PyErr_SetString(PyExc_TypeError, "this UUID has no value");
        return -1;
    }
    return int_to_halves(number, high, low);
}

}  // namespace jobcore
