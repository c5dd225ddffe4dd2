"""The C twins of the functions of the same names in lines.py; the compiled scanner calls them as C functions."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy


cpdef Py_ssize_t event_end(bytes data, Py_ssize_t at) noexcept:
    cdef const char* octets = PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), line = at, end
    cdef const char* found
    while line < size and octets[line] != c"\n" and octets[line] != c"\r":
        found = <const char*>memchr(octets + line, c"\n", size - line)
        if found == NULL:
            return 0
        end = found - octets
        found = <const char*>memchr(octets + line, c"\r", end - line)
        if found != NULL and found != octets + end - 1:
            return 0
        line = end + 1
    if line == at or line >= size:
        return 0
    if octets[line] == c"\n":
        return line + 1
    return line + 2 if line + 1 < size and octets[line + 1] == c"\n" else 0


cpdef bint may_have_id(bytes event) noexcept:
    cdef const char* octets = PyBytes_AS_STRING(event)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(event)
    if size >= 2 and octets[0] == c"i" and octets[1] == c"d":
        return True
    return _id_follows(octets, size, c"\n") or _id_follows(octets, size, c"\r")


cdef bint _id_follows(const char* octets, Py_ssize_t size, char line_end) noexcept:
    cdef const char* stop = octets + size
    cdef const char* found = <const char*>memchr(octets, line_end, size)
    while found != NULL:
        if stop - found > 2 and found[1] == c"i" and found[2] == c"d":
            return True
        found = <const char*>memchr(found + 1, line_end, stop - found - 1)
    return False


cpdef bint just_data(bytes read) noexcept:
    cdef const char* octets = PyBytes_AS_STRING(read)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(read), line = 0
    cdef const char* found
    cdef bint data = False
    if memchr(octets, c"\r", size) != NULL:
        return False
    while line < size and octets[line] != c"\n":
        if size - line > 5 and memcmp(octets + line, b"data:", 5) == 0:
            data = True
        elif octets[line] == c"i" and octets[line + 1] == c"d":  # behind the last octet there is a NUL
            return False
        found = <const char*>memchr(octets + line, c"\n", size - line)
        if found == NULL:
            return False
        line = found - octets + 1
    return data and line == size - 1


cpdef bytes numbered(bytes before, unsigned long long number, bytes event):
    cdef char digits[20]
    cdef Py_ssize_t at = 20, head = PyBytes_GET_SIZE(before), size = PyBytes_GET_SIZE(event)
    cdef bytes out
    cdef char* octets
    while True:
        at -= 1
        digits[at] = c"0" + number % 10
        number //= 10
        if number == 0:
            break
    out = PyBytes_FromStringAndSize(NULL, head + 20 - at + 1 + size)
    octets = PyBytes_AS_STRING(out)
    memcpy(octets, PyBytes_AS_STRING(before), head)
    memcpy(octets + head, digits + at, 20 - at)
    octets[head + 20 - at] = c"\n"
    memcpy(octets + head + 20 - at + 1, PyBytes_AS_STRING(event), size)
    return out
