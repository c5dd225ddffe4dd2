"""The C twins of the functions of the same names in octets.py; the compiled relay path calls them as C functions."""

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcpy

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* place) noexcept


cpdef bytes cut(bytes data, Py_ssize_t start, Py_ssize_t end):
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + start, end - start)


cpdef Py_ssize_t index(bytes data, int octet) noexcept:
    cdef const char* octets = PyBytes_AS_STRING(data)
    cdef const char* found = <const char*>memchr(octets, octet, PyBytes_GET_SIZE(data))
    return -1 if found == NULL else found - octets


cpdef bytes decimal(long long number):
    cdef char digits[20]
    cdef int at = 20
    while True:
        at -= 1
        digits[at] = <char>(48 + number % 10)
        number //= 10
        if number == 0:
            return PyBytes_FromStringAndSize(digits + at, 20 - at)


cpdef long long number_of(bytes digits, Py_ssize_t longest) noexcept:
    cdef const unsigned char* octets = <const unsigned char*>PyBytes_AS_STRING(digits)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(digits), at
    cdef long long number = 0
    if size == 0 or size > longest:
        return -1
    for at in range(size):
        if not 48 <= octets[at] <= 57:
            return -1
        number = number * 10 + octets[at] - 48
    return number


cpdef bytes in_eight(unsigned long long number):
    cdef unsigned char octets[8]
    cdef int at
    for at in range(8):
        octets[7 - at] = <unsigned char>(number >> (8 * at))
    return PyBytes_FromStringAndSize(<char*>octets, 8)


cpdef void copy_into(bytearray buffer, Py_ssize_t at, bytes source, Py_ssize_t start, Py_ssize_t end) noexcept:
    memcpy(PyByteArray_AS_STRING(buffer) + at, PyBytes_AS_STRING(source) + start, end - start)


cpdef void put_length(bytearray buffer, Py_ssize_t at, unsigned int length) noexcept:
    memcpy(PyByteArray_AS_STRING(buffer) + at, &length, 4)


cpdef unsigned int get_length(bytearray buffer, Py_ssize_t at) noexcept:
    cdef const char* place = PyByteArray_AS_STRING(buffer) + at
    cdef unsigned int length
    memcpy(&length, place, 4)
    # The next length is asked for by a later message; the rings of all sessions are more than a cache holds.
    prefetch(place + 4 + length)
    return length


cpdef bint ascii_text(bytes data, Py_ssize_t start, Py_ssize_t end, Py_ssize_t mask_at) noexcept:
    cdef const unsigned char* octets = <const unsigned char*>PyBytes_AS_STRING(data)
    cdef unsigned long long word, seen = 0, key = 0
    cdef unsigned int half
    cdef Py_ssize_t at = start
    if mask_at >= 0:
        memcpy(&half, octets + mask_at, 4)
        key = (<unsigned long long>half << 32) | half
    while at + 8 <= end:
        memcpy(&word, octets + at, 8)
        seen |= word ^ key
        at += 8
    if at < end:
        word = key
        memcpy(&word, octets + at, end - at)
        seen |= word ^ key
    return (seen & 0x8080808080808080ULL) == 0
