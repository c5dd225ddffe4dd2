"""The C twins of the functions of the same names in fields.py, and of model.http.first.

What was found of a field or a name is remembered by the object it is: agents send most of their fields again and
again, and whoever reads them gives the same ones out (wire/_heads.pyx, wire/http2/_ngh2_engine.pyx).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_Check, PyTuple_GET_SIZE
from libc.stdint cimport uintptr_t
from libc.string cimport memchr, memcmp, memcpy

cdef extern from "Python.h":  # of what is borrowed, and not counted as held
    PyObject* item "PyTuple_GET_ITEM"(PyObject* field, Py_ssize_t which) noexcept
    bint is_octets "PyBytes_Check"(PyObject* part) noexcept
    char* octets_of "PyBytes_AS_STRING"(PyObject* part) noexcept
    Py_ssize_t size_of "PyBytes_GET_SIZE"(PyObject* part) noexcept

cdef enum:
    PROPER = 0
    UNDERSCORED = 1
    ODD = 2
    SEEN = 512  # fields whose form is remembered, names that a sieve remembers, and sieves: powers of two
    NAMES = 256
    SIEVES = 32
    LONGEST_SEEN = 512  # octets of a field
    LONGEST_NAME = 40

cdef unsigned char TOKEN[256]
cdef PyObject* _seen[SEEN]
cdef unsigned char _forms[SEEN]


cdef void _fill() noexcept:
    cdef int code
    for code in range(256):
        TOKEN[code] = 0
    for code in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz":
        TOKEN[code] = 1


_fill()


cdef inline Py_ssize_t _slot(PyObject* found, Py_ssize_t slots) noexcept:
    """Where something is remembered: by its address, of which the last four bits say nothing."""
    cdef uintptr_t address = <uintptr_t>found >> 4
    return <Py_ssize_t>((address ^ (address >> 9)) & <uintptr_t>(slots - 1))


cdef inline void _remember(PyObject** slot, object found) noexcept:
    Py_INCREF(found)  # kept, so that nothing else can come to stand at its address
    Py_XDECREF(slot[0])
    slot[0] = <PyObject*>found


cpdef int form_of(list fields) except -1:
    cdef object field  # over HTTP/2 one that is never to be indexed is of a class of its own, a tuple by its base
    cdef int worst = PROPER, form
    for field in fields:
        form = _form(field)
        if form > worst:
            worst = form
    return worst


cdef inline int _form(object field) except -1:
    cdef Py_ssize_t slot = _slot(<PyObject*>field, SEEN)
    return _forms[slot] if _seen[slot] == <PyObject*>field else _judged(field, slot)


cdef int _judged(object field, Py_ssize_t slot) except -1:
    """The form of a field that was not met before, or not lately."""
    cdef bytes name = _part(field, 0), value = _part(field, 1)
    cdef const unsigned char* octets = <const unsigned char*>PyBytes_AS_STRING(name)
    cdef Py_ssize_t at, size = PyBytes_GET_SIZE(name)
    cdef unsigned char octet, proper = 1, odd = 0, underscored = 0
    for at in range(size):
        octet = octets[at]
        proper &= TOKEN[octet]
        underscored |= octet == 95
    octets, size = <const unsigned char*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)
    for at in range(size):  # without a branch: the compiler makes it many bytes a step
        octet = octets[at]
        odd |= ((octet < 32) & (octet != 9)) | (octet == 127)
    cdef int form = ODD if odd or not proper else UNDERSCORED if underscored else PROPER
    if PyBytes_GET_SIZE(name) + size <= LONGEST_SEEN:
        _remember(&_seen[slot], field)
        _forms[slot] = <unsigned char>form
    return form


cdef class _Sieve:
    """Names, and beginnings of names, with what was found of the names that came."""
    cdef object names
    cdef tuple prefixes
    cdef PyObject* seen[NAMES]
    cdef bint caught[NAMES]

    def __dealloc__(self):
        cdef int slot
        for slot in range(NAMES):
            Py_XDECREF(self.seen[slot])

    cdef inline bint catches(self, object field) except -1:
        cdef PyObject* name = _borrowed(field, 0)
        cdef Py_ssize_t slot = _slot(name, NAMES)
        return self.caught[slot] if self.seen[slot] == name else self.judge(<bytes>name, slot)

    cdef bint judge(self, bytes name, Py_ssize_t slot) except -1:
        cdef bint caught = name in self.names or _begins(name, self.prefixes)
        if PyBytes_GET_SIZE(name) <= LONGEST_NAME:
            _remember(&self.seen[slot], name)
            self.caught[slot] = caught
        return caught


cdef list _sieves = [None] * SIEVES
cdef tuple _NO_PREFIXES = ()


cdef _Sieve _sieve(object names, tuple prefixes):
    """The sieve of these. Sets that can change have one for the moment alone."""
    cdef Py_ssize_t slot = _slot(<PyObject*>names, SIEVES)
    cdef _Sieve sieve = <_Sieve>_sieves[slot]
    if sieve is None or sieve.names is not names or sieve.prefixes is not prefixes:
        sieve = _Sieve.__new__(_Sieve)
        sieve.names, sieve.prefixes = names, prefixes
        if type(names) is frozenset:
            _sieves[slot] = sieve
    return sieve


cpdef list without(list fields, object names, tuple prefixes):
    cdef object field
    cdef list kept = []
    cdef _Sieve sieve = _sieve(names, prefixes)
    for field in fields:
        if not sieve.catches(field):
            kept.append(field)
    return kept


cpdef tuple parted(list fields, object names):
    cdef object field
    cdef list others = [], found = []
    cdef _Sieve sieve = _sieve(names, _NO_PREFIXES)
    for field in fields:
        if sieve.catches(field):
            found.append(field)
        else:
            others.append(field)
    return others, found


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
    cdef Py_ssize_t size = 0
    cdef char* out
    for field in fields:
        if _form(field) == ODD and _breaks(field):
            return None
        size += size_of(_borrowed(field, 0)) + size_of(item(<PyObject*>field, 1)) + 4
    lines = PyBytes_FromStringAndSize(NULL, size)
    out = PyBytes_AS_STRING(lines)
    for field in fields:
        out = _copied(out, item(<PyObject*>field, 0))
        out[0], out[1] = 58, 32
        out = _copied(out + 2, item(<PyObject*>field, 1))
        out[0], out[1] = 13, 10
        out += 2
    return lines


cdef bint _breaks(object field) except -1:
    """Whether an odd field would break its line."""
    cdef bytes part
    cdef int which
    for which in range(2):
        part = _part(field, which)
        if not unbroken(part) or memchr(PyBytes_AS_STRING(part), 0, PyBytes_GET_SIZE(part)) != NULL:
            return True
    return False


cdef inline bytes _part(object field, int which):
    """The name (0) or the value (1): a field may be of a class of its own, a tuple by its base (HTTP/2)."""
    return <bytes>_borrowed(field, which)


cdef inline PyObject* _borrowed(object field, int which) except NULL:
    """The same, as long as the field itself is held."""
    cdef PyObject* part
    if not PyTuple_Check(field) or PyTuple_GET_SIZE(field) != 2:
        raise TypeError("not a field")
    part = item(<PyObject*>field, which)
    if not is_octets(part):
        raise TypeError("not a field of octets")
    return part


cdef inline char* _copied(char* out, PyObject* text) noexcept:
    memcpy(out, octets_of(text), size_of(text))
    return out + size_of(text)


cpdef first(list fields, bytes name):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    cdef const char* wanted = PyBytes_AS_STRING(name)
    cdef PyObject* found
    cdef object field
    for field in fields:
        found = _borrowed(field, 0)
        if size_of(found) == size and memcmp(octets_of(found), wanted, size) == 0:
            return _part(field, 1)
    return None
