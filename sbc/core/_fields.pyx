"""The C twins of the functions of the same names in fields.py, and of model.http.first."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp, memcpy

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
        name, value = <bytes?>field[0], <bytes?>field[1]
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
    for field in fields:
        if field[0] not in names and not _begins(<bytes?>field[0], prefixes):
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


cpdef lines_of(list fields):
    cdef object field  # over HTTP/2 one that is never to be indexed is of a class of its own, a tuple by its base
    cdef bytes lines
    cdef Py_ssize_t size = 0
    cdef unsigned char broken = 0
    cdef char* out
    for field in fields:
        size += PyBytes_GET_SIZE(<bytes?>field[0]) + PyBytes_GET_SIZE(<bytes?>field[1]) + 4
    lines = PyBytes_FromStringAndSize(NULL, size)
    out = PyBytes_AS_STRING(lines)
    for field in fields:
        out = _copied(out, <bytes>field[0], &broken)
        out[0], out[1] = 58, 32
        out = _copied(out + 2, <bytes>field[1], &broken)
        out[0], out[1] = 13, 10
        out += 2
    return None if broken else lines


cdef inline char* _copied(char* out, bytes text, unsigned char* broken) noexcept:
    """Copy a name or a value, and note whether there is a character in it that would break its line."""
    cdef Py_ssize_t at, size = PyBytes_GET_SIZE(text)
    cdef const unsigned char* octets = <const unsigned char*>PyBytes_AS_STRING(text)
    cdef unsigned char found = 0
    memcpy(out, octets, size)
    for at in range(size):
        found |= (octets[at] == 13) | (octets[at] == 10) | (octets[at] == 0)
    broken[0] |= found
    return out + size


cpdef first(list fields, bytes name):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    cdef const char* wanted = PyBytes_AS_STRING(name)
    for field in fields:
        found = field[0]
        if PyBytes_GET_SIZE(<bytes?>found) == size and memcmp(PyBytes_AS_STRING(<bytes>found), wanted, size) == 0:
            return field[1]
    return None
