"""The C twins of the functions of the same names in heads.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp, memcpy

cdef enum:
    LONGEST_METHOD = 31
    LONGEST_KNOWN = 40
    LINES = 1024  # a power of two
    LONGEST_LINE = 192

cdef unsigned char LOWER[256]  # of the characters of a name; 0: has no place in one
cdef unsigned char TEXT[256]  # whether it may stand in a value
cdef list KNOWN = [b""] * 256
"""Names that came before, each at its own place: most come again, and need not be made again."""

cdef list SPELT = [b""] * LINES
cdef list FIELDS = [None] * LINES
"""Lines of fields that came before, as they were spelt, and what they say: an agent says most of them with each
request, and what is known to be proper need not be looked through, or made, again."""


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
    cdef Py_ssize_t end = PyBytes_GET_SIZE(head) - 2, size, slot
    cdef const void* found
    cdef list fields = []
    cdef bytes known
    cdef object field
    while at < end:
        found = memchr(octets + at, 13, end - at)
        if found == NULL:
            return None
        size = <const unsigned char*>found - octets - at
        if at + size + 1 >= end or octets[at + size + 1] != 10:
            return None
        slot = _place_of(octets + at, size)
        known = <bytes>PyList_GET_ITEM(SPELT, slot)
        if PyBytes_GET_SIZE(known) == size and memcmp(PyBytes_AS_STRING(known), octets + at, size) == 0 and size:
            field = <object>PyList_GET_ITEM(FIELDS, slot)
        else:
            field = _field(octets + at, size)
            if field is None:
                return None
            if size <= LONGEST_LINE:
                SPELT[slot], FIELDS[slot] = _cut(octets, at, at + size), field
        fields.append(field)
        at += size + 2
    return fields


cdef Py_ssize_t _place_of(const unsigned char* octets, Py_ssize_t size) noexcept:
    """Where a line stands if it is known."""
    cdef uint64_t mixed = <uint64_t>size, eight = 0
    cdef Py_ssize_t at = 0
    while size - at >= 8:
        memcpy(&eight, octets + at, 8)
        mixed = (mixed ^ eight) * <uint64_t>0x9E3779B97F4A7C15
        mixed ^= mixed >> 29
        at += 8
    eight = 0
    memcpy(&eight, octets + at, size - at)
    mixed = (mixed ^ eight) * <uint64_t>0x9E3779B97F4A7C15
    return <Py_ssize_t>((mixed >> 40) & (LINES - 1))


cdef object _field(const unsigned char* octets, Py_ssize_t size):
    """The field that a line says, without its end; None: it is not a proper one."""
    cdef Py_ssize_t colon = 0, start, at
    cdef unsigned char octet, odd = 0
    while colon < size and LOWER[octets[colon]]:
        colon += 1
    if colon == 0 or colon >= size or octets[colon] != 58:
        return None
    start = colon + 1
    while start < size and (octets[start] == 32 or octets[start] == 9):
        start += 1
    for at in range(start, size):  # without a branch: the compiler makes it many bytes a step
        octet = octets[at]
        odd |= ((octet < 32) & (octet != 9)) | (octet == 127)
    if odd:
        return None
    while size > start and (octets[size - 1] == 32 or octets[size - 1] == 9):
        size -= 1
    return _name(octets, colon), _cut(octets, start, size)


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
