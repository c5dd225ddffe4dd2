"""The C twins of the functions of the same names in heads.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp

cdef enum:
    LONGEST_METHOD = 31
    LONGEST_KNOWN = 40

cdef unsigned char LOWER[256]  # of the characters of a name; 0: has no place in one
cdef unsigned char TEXT[256]  # whether it may stand in a value
cdef list KNOWN = [b""] * 256
"""Names that came before, each at its own place: most come again, and need not be made again."""


cdef void _fill() noexcept:
    cdef int code
    for code in range(256):
        LOWER[code] = 0
        TEXT[code] = (code >= 32 or code == 9) and code != 127
    for code in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz":
        LOWER[code] = code
    for code in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        LOWER[code] = code + 32


_fill()


cdef bytes _cut(const unsigned char* octets, Py_ssize_t start, Py_ssize_t end):
    return PyBytes_FromStringAndSize(<const char*>octets + start, end - start)


cpdef Py_ssize_t head_end(bytes data, Py_ssize_t at) except -2:
    cdef const char* octets = PyBytes_AS_STRING(data)
    cdef const char* found
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    while size - at >= 4:
        found = <const char*>memchr(octets + at, 13, size - at - 3)
        if found == NULL:
            return -1
        if memcmp(found, b"\r\n\r\n", 4) == 0:
            return found - octets + 4
        at = found - octets + 1
    return -1


cpdef request_line(bytes head):
    cdef const unsigned char* octets = <const unsigned char*>PyBytes_AS_STRING(head)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(head), at = 0, target
    cdef unsigned char octet
    while at < size:
        octet = octets[at]
        if not (65 <= octet <= 90 or (at and (48 <= octet <= 57 or octet == 45 or octet == 95))):
            break
        at += 1
    if not 0 < at <= LONGEST_METHOD or at >= size or octets[at] != 32:
        return None
    target = at + 1
    at = target
    while at < size and octets[at] > 32 and octets[at] != 127:
        at += 1
    if at == target or size - at < 11 or memcmp(octets + at, b" HTTP/1.", 8) != 0:
        return None
    if (octets[at + 8] != 48 and octets[at + 8] != 49) or octets[at + 9] != 13 or octets[at + 10] != 10:
        return None
    return _cut(octets, 0, target - 1), _cut(octets, target, at), octets[at + 8] == 49, at + 11


cpdef status_line(bytes head):
    cdef const unsigned char* octets = <const unsigned char*>PyBytes_AS_STRING(head)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(head), at
    cdef int status = 0
    if size < 14 or memcmp(octets, b"HTTP/1.", 7) != 0 or octets[8] != 32:
        return None
    if octets[7] != 48 and octets[7] != 49:
        return None
    for at in range(9, 12):
        if not 48 <= octets[at] <= 57:
            return None
        status = status * 10 + octets[at] - 48
    at = 12
    if octets[at] == 32:
        while at < size and TEXT[octets[at]]:
            at += 1
    if size - at < 2 or octets[at] != 13 or octets[at + 1] != 10:
        return None
    return status, octets[7] == 49, at + 2


cpdef fields_of(bytes head, Py_ssize_t at):
    cdef const unsigned char* octets = <const unsigned char*>PyBytes_AS_STRING(head)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(head) - 2, start, colon, stop, last
    cdef unsigned char proper
    cdef const void* found
    cdef list fields = []
    cdef bytes name
    while at < end:
        colon = at
        while colon < end and LOWER[octets[colon]]:
            colon += 1
        if colon == at or colon >= end or octets[colon] != 58:
            return None
        name = _name(octets + at, colon - at)
        start = colon + 1
        while start < end and (octets[start] == 32 or octets[start] == 9):
            start += 1
        found = memchr(octets + start, 13, end - start)
        if found == NULL:
            return None
        stop = <const unsigned char*>found - octets
        if stop + 1 >= end or octets[stop + 1] != 10:
            return None
        proper = 1
        for last in range(start, stop):
            proper &= TEXT[octets[last]]
        if not proper:
            return None
        at = stop + 2
        while stop > start and (octets[stop - 1] == 32 or octets[stop - 1] == 9):
            stop -= 1
        fields.append((name, _cut(octets, start, stop)))
    return fields


cdef bytes _name(const unsigned char* octets, Py_ssize_t size):
    """The name in lower case."""
    cdef unsigned char place = <unsigned char>(LOWER[octets[0]] * 7 + LOWER[octets[size - 1]] * 31 + size * 3)
    cdef bytes known = <bytes>KNOWN[place]
    cdef Py_ssize_t at
    cdef const unsigned char* seen
    cdef unsigned char* out
    if PyBytes_GET_SIZE(known) == size:
        seen = <const unsigned char*>PyBytes_AS_STRING(known)
        for at in range(size):
            if seen[at] != LOWER[octets[at]]:
                break
        else:
            return known
    known = PyBytes_FromStringAndSize(NULL, size)
    out = <unsigned char*>PyBytes_AS_STRING(known)
    for at in range(size):
        out[at] = LOWER[octets[at]]
    if size <= LONGEST_KNOWN:
        KNOWN[place] = known
    return known
