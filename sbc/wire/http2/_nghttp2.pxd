"""The C interface of nghttp2, as far as the edge uses it (nghttp2.h of version 1.70; its layout has stood since 1.0)."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t


cdef enum:
    ERR_DEFERRED = -508
    ERR_STREAM_CLOSED = -510
    ERR_STREAM_CLOSING = -511
    ERR_STREAM_SHUT_WR = -512
    ERR_TEMPORAL_CALLBACK_FAILURE = -521
    ERR_PAUSE = -526
    ERR_SESSION_CLOSING = -530
    ERR_CALLBACK_FAILURE = -902
    ERR_FLOODED = -904
    ERR_TOO_MANY_CONTINUATIONS = -905

    DATA_FLAG_EOF = 1
    DATA_FLAG_NO_END_STREAM = 2
    DATA_FLAG_NO_COPY = 4
    NV_FLAG_NO_INDEX = 1
    FLAG_ACK = 1
    FLAG_END_STREAM = 1
    HCAT_REQUEST = 0

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7


ctypedef struct Head:
    size_t length
    int32_t stream_id
    uint8_t type
    uint8_t flags
    uint8_t reserved

ctypedef struct Priority:
    int32_t stream_id
    int32_t weight
    uint8_t exclusive

ctypedef struct Field:
    uint8_t *name
    uint8_t *value
    size_t namelen
    size_t valuelen
    uint8_t flags

ctypedef struct HeadersFrame:
    Head hd
    size_t padlen
    Priority pri_spec
    Field *nva
    size_t nvlen
    int cat

ctypedef struct Setting:
    int32_t settings_id
    uint32_t value

ctypedef struct SettingsFrame:
    Head hd
    size_t niv
    Setting *iv

ctypedef struct GoawayFrame:
    Head hd
    int32_t last_stream_id
    uint32_t error_code
    uint8_t *opaque_data
    size_t opaque_data_len
    uint8_t reserved

ctypedef union Source:
    int fd
    void *ptr

ctypedef Py_ssize_t (*ReadBody)(void *, int32_t, uint8_t *, size_t, uint32_t *, Source *, void *) noexcept

ctypedef struct Provider:
    Source source
    ReadBody read_callback

ctypedef struct Memory:
    void *user
    void *(*malloc)(size_t, void *) noexcept
    void (*free)(void *, void *) noexcept
    void *(*calloc)(size_t, size_t, void *) noexcept
    void *(*realloc)(void *, size_t, void *) noexcept

ctypedef struct Functions:
    int (*callbacks_new)(void **) noexcept
    void (*set_send_data)(void *, void *) noexcept
    void (*set_begin_headers)(void *, void *) noexcept
    void (*set_header)(void *, void *) noexcept
    void (*set_invalid_header)(void *, void *) noexcept
    void (*set_data_chunk)(void *, void *) noexcept
    void (*set_frame_recv)(void *, void *) noexcept
    void (*set_frame_send)(void *, void *) noexcept
    void (*set_frame_not_send)(void *, void *) noexcept
    void (*set_stream_close)(void *, void *) noexcept
    void (*set_rand)(void *, void *) noexcept
    int (*option_new)(void **) noexcept
    void (*option_del)(void *) noexcept
    void (*option_no_auto_window_update)(void *, int) noexcept
    void (*option_max_outbound_ack)(void *, size_t) noexcept
    void (*option_max_continuations)(void *, size_t) noexcept
    int (*client_new)(void **, void *, void *, void *, Memory *) noexcept
    int (*server_new)(void **, void *, void *, void *, Memory *) noexcept
    void (*session_del)(void *) noexcept
    Py_ssize_t (*send)(void *, const uint8_t **) noexcept
    Py_ssize_t (*receive)(void *, const uint8_t *, size_t) noexcept
    int (*resume_data)(void *, int32_t) noexcept
    int (*consume)(void *, int32_t, size_t) noexcept
    int (*want_read)(void *) noexcept
    int (*want_write)(void *) noexcept
    int (*request_allowed)(void *) noexcept
    int (*local_close)(void *, int32_t) noexcept
    int32_t (*last_stream)(void *) noexcept
    int (*set_window)(void *, uint8_t, int32_t, int32_t) noexcept
    int (*submit_settings)(void *, uint8_t, const Setting *, size_t) noexcept
    int32_t (*submit_request)(void *, void *, const Field *, size_t, const Provider *, void *) noexcept
    int (*submit_response)(void *, int32_t, const Field *, size_t, const Provider *) noexcept
    int32_t (*submit_headers)(void *, uint8_t, int32_t, void *, const Field *, size_t, void *) noexcept
    int (*submit_trailer)(void *, int32_t, const Field *, size_t) noexcept
    int (*submit_rst)(void *, uint8_t, int32_t, uint32_t) noexcept
    int (*submit_ping)(void *, uint8_t, const uint8_t *) noexcept
    int (*submit_notice)(void *) noexcept
    int (*submit_goaway)(void *, uint8_t, int32_t, uint32_t, const uint8_t *, size_t) noexcept
    const char *(*strerror)(int) noexcept


cdef Functions nghttp2
cdef Memory memory
cdef int new_server(void **session, void *callbacks, void *user, void *options) noexcept
