"""The C twins of the functions of the same names in fields.py, and of model.http.first."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.tuple cimport PyTuple_Check, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy

cdef enum:
    PROPER = 0
    UNDERSCORED = 1
    ODD = 2

cdef unsigned char TOKEN[256]


cdef void _fill() noexcept:
    cdef int code
    for code in range(256):
        TOKEN[code] = 0
    for code in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz":
        TOKEN[code] = 1


_fill()


cpdef int form_of(list fields) except -1:
    cdef object field  # over HTTP/2 one that is never to be indexed is of a class of its own, a tuple by its base
    cdef bytes name, value
    cdef const unsigned char* octets
    cdef Py_ssize_t at, size
    cdef unsigned char octet, proper = 1, odd = 0, underscored = 0
    for field in fields:
        name, value = _part(field, 0), _part(field, 1)
        octets, size = <const unsigned char*>PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)
        for at in range(size):
            octet = octets[at]
            proper &= TOKEN[octet]
            underscored |= octet == 95
        octets, size = <const unsigned char*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)
        for at in range(size):  # without a branch: the compiler makes it many bytes a step
            octet = octets[at]
            odd |= ((octet < 32) & (octet != 9)) | (octet == 127)
    if odd or not proper:
        return ODD
    return UNDERSCORED if underscored else PROPER


cpdef list without(list fields, object names, tuple prefixes):
    cdef object field  # over HTTP/2 one that is never to be indexed is of a class of its own, a tuple by its base
    cdef list kept = []
    cdef bytes name
    for field in fields:
        name = _part(field, 0)
        if name not in names and not _begins(name, prefixes):
            kept.append(field)
    return kept


cdef bint _begins(bytes name, tuple prefixes) except -1:
    cdef bytes prefix
    cdef Py_ssize_t size
    for prefix in prefixes:
        size = PyBytes_GET_SIZE(prefix)
        if PyBytes_GET_SIZE(name) >= size and memcmp(PyBytes_AS_STRING(name), PyBytes_AS_STRING(prefix), size) == 0:
            return True
    return False


cpdef bint unbroken(bytes text) except -1:
    cdef const char* octets = PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    return memchr(octets, 10, size) == NULL and memchr(octets, 13, size) == NULL


cpdef lines_of(list fields):
    cdef object field, lines
    cdef Py_ssize_t size = 0, at, breaks = 0
    cdef const unsigned char* octets
    cdef char* out
    for field in fields:
        size += PyBytes_GET_SIZE(_part(field, 0)) + PyBytes_GET_SIZE(_part(field, 1)) + 4
    lines = PyBytes_FromStringAndSize(NULL, size)
    out = PyBytes_AS_STRING(lines)
    octets = <const unsigned char*>out
    for field in fields:
        out = _copied(out, _part(field, 0))
        out[0], out[1] = 58, 32
        out = _copied(out + 2, _part(field, 1))
        out[0], out[1] = 13, 10
        out += 2
    for at in range(size):  # without a branch: the compiler makes it many bytes a step
        breaks += (octets[at] == 13) | (octets[at] == 10) | (octets[at] == 0)
    return lines if breaks == 2 * len(fields) else None


cdef inline bytes _part(object field, int which):
    """The name (0) or the value (1): a field may be of a class of its own, a tuple by its base (HTTP/2)."""
    if not PyTuple_Check(field) or PyTuple_GET_SIZE(field) != 2:
        raise TypeError("not a field")
    return <bytes?><object>PyTuple_GET_ITEM(field, which)


cdef inline char* _copied(char* out, bytes text) noexcept:
    memcpy(out, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    return out + PyBytes_GET_SIZE(text)


cpdef first(list fields, bytes name):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    cdef const char* wanted = PyBytes_AS_STRING(name)
    cdef bytes found
    for field in fields:
        found = _part(field, 0)
        if PyBytes_GET_SIZE(found) == size and memcmp(PyBytes_AS_STRING(found), wanted, size) == 0:
            return field[1]
    return None
