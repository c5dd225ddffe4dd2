"""nghttp2's own C functions, out of the shared object that ngh2 brings it in, and the memory that it is given.

ngh2 holds one wheel's worth of nghttp2 and a general face for it, made of events and queues that are built for every
frame; the edge needs less, and calls what lies beneath. Whoever cannot find it here does without (factory.py).
"""

from cpython.mem cimport PyObject_Calloc, PyObject_Free, PyObject_Malloc, PyObject_Realloc
from libc.string cimport memcpy

import ngh2
import ngh2._core

cdef extern from "dlfcn.h" nogil:
    void *dlopen(const char *, int)
    void *dlsym(void *, const char *)
    int RTLD_NOW
    int RTLD_NOLOAD

# In the order of the struct `Functions`.
_NAMES = (
    b"session_callbacks_new", b"session_callbacks_set_send_data_callback",
    b"session_callbacks_set_on_begin_headers_callback", b"session_callbacks_set_on_header_callback",
    b"session_callbacks_set_on_invalid_header_callback", b"session_callbacks_set_on_data_chunk_recv_callback",
    b"session_callbacks_set_on_frame_recv_callback", b"session_callbacks_set_on_frame_send_callback",
    b"session_callbacks_set_on_frame_not_send_callback", b"session_callbacks_set_on_stream_close_callback",
    b"session_callbacks_set_rand_callback", b"option_new", b"option_del", b"option_set_no_auto_window_update",
    b"option_set_max_outbound_ack", b"option_set_max_continuations", b"session_client_new3", b"session_server_new3",
    b"session_del", b"session_mem_send2", b"session_mem_recv2", b"session_resume_data", b"session_consume",
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


# Memory. Each connection has a buffer for the longest frame, 16 KiB of the 40 that it would cost. What is in it is of
# use only until nghttp2_session_mem_send2 is asked for the next frame; the engine copies a frame as soon as it is there,
# and never stops but between two of them. So all servers' connections have one such buffer together. (A client's is
# not among them: its preface stands there from the beginning on.) This was read in the code of nghttp2 1.70.0, as ngh2
# 0.3.0 has it; with any other, each connection has a buffer of its own.

cdef enum:
    FRAME_ROOM = 16 * 1024 + 10

cdef bint _known = ngh2.__version__ == "0.3.0"
cdef char _common[FRAME_ROOM]
cdef bint _lending = False


cdef int new_server(void **session, void *callbacks, void *user, void *options) noexcept:
    """nghttp2_session_server_new3 with that memory."""
    global _lending
    cdef int fault
    _lending = _known
    fault = nghttp2.server_new(session, callbacks, user, options, &memory)
    _lending = False
    return fault


cdef void *_malloc(size_t size, void *user) noexcept:
    global _lending
    if _lending and size == FRAME_ROOM:
        _lending = False
        return _common
    return PyObject_Malloc(size)


cdef void _free(void *at, void *user) noexcept:
    if at != <void *>_common:
        PyObject_Free(at)


cdef void *_calloc(size_t number, size_t size, void *user) noexcept:
    return PyObject_Calloc(number, size)


cdef void *_realloc(void *at, size_t size, void *user) noexcept:
    cdef void *other
    if at == NULL:
        return _malloc(size, user)
    if at != <void *>_common:
        return PyObject_Realloc(at, size)
    other = PyObject_Malloc(size)
    if other != NULL:
        memcpy(other, at, min(size, <size_t>FRAME_ROOM))
    return other


memory.user = NULL
memory.malloc = _malloc
memory.free = _free
memory.calloc = _calloc
memory.realloc = _realloc
