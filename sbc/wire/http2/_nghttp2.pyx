"""nghttp2's own C functions, out of the shared object that ngh2 brings it in, and the memory that it is given.

ngh2 holds one wheel's worth of nghttp2 and a general face for it, made of events and queues that are built for every
frame; the edge needs less, and calls what lies beneath. Whoever cannot find it here does without (factory.py).
"""

from cpython.mem cimport PyObject_Calloc, PyObject_Free, PyObject_Malloc, PyObject_Realloc
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy

import ngh2._core

cdef extern from "dlfcn.h" nogil:
    void *dlopen(const char *, int)
    void *dlsym(void *, const char *)
    int RTLD_NOW
    int RTLD_NOLOAD

cdef extern from "sys/mman.h" nogil:
    void *mmap(void *, size_t, int, int, int, long)
    int madvise(void *, size_t, int)
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MADV_DONTNEED
    void *MAP_FAILED

# In the order of the struct `Functions`.
_NAMES = (
    b"session_callbacks_new", b"session_callbacks_set_send_callback2", b"session_callbacks_set_send_data_callback",
    b"session_callbacks_set_on_begin_headers_callback", b"session_callbacks_set_on_header_callback",
    b"session_callbacks_set_on_invalid_header_callback", b"session_callbacks_set_on_data_chunk_recv_callback",
    b"session_callbacks_set_on_frame_recv_callback", b"session_callbacks_set_on_frame_send_callback",
    b"session_callbacks_set_on_frame_not_send_callback", b"session_callbacks_set_on_stream_close_callback",
    b"session_callbacks_set_rand_callback", b"option_new", b"option_del", b"option_set_no_auto_window_update",
    b"option_set_max_outbound_ack", b"option_set_max_continuations", b"session_client_new3", b"session_server_new3",
    b"session_del", b"session_send", b"session_mem_recv2", b"session_resume_data", b"session_consume",
    b"session_want_read", b"session_want_write", b"session_check_request_allowed", b"session_get_stream_local_close",
    b"session_get_last_proc_stream_id", b"session_set_local_window_size", b"submit_settings", b"submit_request2",
    b"submit_response2", b"submit_headers", b"submit_trailer", b"submit_rst_stream", b"submit_ping",
    b"submit_shutdown_notice", b"submit_goaway", b"strerror",
)


def _load():
    """Raises ImportError if this ngh2 does not show what it is made of."""
    cdef void *library = dlopen(ngh2._core.__file__.encode(), RTLD_NOW | RTLD_NOLOAD)
    cdef void **place = <void **>&nghttp2
    cdef bytes symbol
    if library == NULL or len(_NAMES) * sizeof(void *) != sizeof(Functions):
        raise ImportError("nghttp2 is not to be found in ngh2")
    for at, name in enumerate(_NAMES):
        symbol = b"nghttp2_" + name
        place[<size_t>at] = dlsym(library, symbol)
        if place[<size_t>at] == NULL:
            raise ImportError(f"this ngh2 has no {symbol.decode()}")


_load()

# Memory. A connection has a buffer for the longest frame there may be (16 KiB), and hardly ever uses more than its
# first few hundred bytes. Cut out of a heap it would lie on pages that were used before, and cost all that it is long;
# here it lies on pages of its own, of which only those count that are written to.

cdef enum:
    PAGE = 4096
    LARGE = 16000
    PIECE = 5 * PAGE
    PIECES = 51
    MOST_REGIONS = 4096

cdef uintptr_t _regions[MOST_REGIONS]
cdef int _region_count = 0
cdef void *_free_pieces[MOST_REGIONS * PIECES]
cdef int _free_count = 0


cdef bint _is_piece(void *at) noexcept:
    cdef int number
    if <uintptr_t>at % PAGE:
        return False
    for number in range(_region_count):
        if _regions[number] <= <uintptr_t>at < _regions[number] + PIECES * PIECE:
            return True
    return False


cdef void *_take_piece() noexcept:
    """A piece of which no page is in use yet, or NULL."""
    global _free_count, _region_count
    cdef char *region
    cdef int number
    if _free_count == 0:
        if _region_count == MOST_REGIONS:
            return NULL
        region = <char *>mmap(NULL, PIECES * PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if region == <char *>MAP_FAILED:
            return NULL
        _regions[_region_count] = <uintptr_t>region
        _region_count += 1
        for number in range(PIECES):
            _free_pieces[_free_count] = region + number * PIECE
            _free_count += 1
    _free_count -= 1
    return _free_pieces[_free_count]


cdef void *_malloc(size_t size, void *user) noexcept:
    cdef void *piece
    if LARGE <= size <= PIECE:
        piece = _take_piece()
        if piece != NULL:
            return piece
    return PyObject_Malloc(size)


cdef void _free(void *at, void *user) noexcept:
    global _free_count
    if at != NULL and _is_piece(at):
        madvise(at, PIECE, MADV_DONTNEED)
        _free_pieces[_free_count] = at
        _free_count += 1
    else:
        PyObject_Free(at)


cdef void *_calloc(size_t number, size_t size, void *user) noexcept:
    return PyObject_Calloc(number, size)


cdef void *_realloc(void *at, size_t size, void *user) noexcept:
    cdef void *other
    if at == NULL:
        return _malloc(size, user)
    if not _is_piece(at):
        return PyObject_Realloc(at, size)
    if size <= PIECE:
        return at
    other = PyObject_Malloc(size)
    if other != NULL:
        memcpy(other, at, PIECE)
        _free(at, user)
    return other


memory.user = NULL
memory.malloc = _malloc
memory.free = _free
memory.calloc = _calloc
memory.realloc = _realloc
