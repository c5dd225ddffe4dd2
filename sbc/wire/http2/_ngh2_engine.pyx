"""The default engine in its compiled form: ngh2_engine.py without ngh2 between the edge and nghttp2.

Callbacks of nghttp2 note what happened; the owner is told once nghttp2 has returned, as it may give any order then.
What is written goes from the queues of the streams straight into one buffer that all connections share: it is used
within one call of `outgoing`, and nothing else runs meanwhile.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcmp, memcpy

from sbc.wire.http2._nghttp2 cimport (
    DATA, DATA_FLAG_EOF, DATA_FLAG_NO_COPY, DATA_FLAG_NO_END_STREAM, ERR_CALLBACK_FAILURE, ERR_DEFERRED, ERR_FLOODED,
    ERR_PAUSE, ERR_SESSION_CLOSING, ERR_STREAM_CLOSED, ERR_STREAM_CLOSING, ERR_STREAM_SHUT_WR, ERR_TEMPORAL_CALLBACK_FAILURE,
    ERR_TOO_MANY_CONTINUATIONS, FLAG_ACK, FLAG_END_STREAM, GOAWAY, HCAT_REQUEST, HEADERS,
    NV_FLAG_NO_INDEX, PING, RST_STREAM, SETTINGS, Field, Functions, GoawayFrame, Head, HeadersFrame, Memory, Provider,
    Setting, SettingsFrame, Source, memory, new_server, nghttp2,
)

from os import urandom

from ngh2 import NeverIndexedHeader

from sbc.wire.http2.engine import HIGH_WATER_BYTES, LOW_WATER_BYTES, NO_LIMIT, H2Error, Role
from sbc.wire.http2.goaway import goaway_frame

cdef enum:
    MOST_FIELDS = 1000      # beyond which a header list breaks the connection
    MOST_ACKS = 100
    MOST_CONTINUATIONS = 100
    KNOWN = 1024            # how many header fields are known again
    LONGEST_KNOWN = 128     # octets of a value
    INTERNAL_ERROR = 2

cdef enum Event:
    ON_DATA, ON_DATA_END, ON_HEAD, ON_HEAD_END, ON_TRAILERS, ON_INTERIM, ON_CLOSED, ON_RESET, ON_SETTINGS, ON_GOAWAY
    ON_PONG, ON_END

cdef size_t HIGH_WATER = HIGH_WATER_BYTES
cdef size_t LOW_WATER = LOW_WATER_BYTES
cdef list _NOTHING = []

# What is written.

cdef char *_out = NULL
cdef size_t _out_octets = 0
cdef size_t _out_room = 0
cdef size_t _out_limit = 0


cdef bint _make_room(size_t octets) noexcept:
    global _out, _out_room
    cdef size_t room = _out_room or 65536
    cdef char *out
    if _out_octets + octets <= _out_room:
        return True
    while room < _out_octets + octets:
        room *= 2
    out = <char *>realloc(_out, room)
    if out == NULL:
        return False
    _out, _out_room = out, room
    return True


cdef class Body:
    """What is to be sent on one stream."""

    def __cinit__(self):
        self.pieces = None  # a stream that waits has no list
        self.trailers = None


cdef void _take(Body body, char *to, size_t octets) noexcept:
    """Take so much of what is queued, which is at least as much."""
    cdef size_t step
    cdef bytes piece
    body.queued -= octets
    while octets:
        piece = body.pieces[body.at]
        step = min(octets, <size_t>(PyBytes_GET_SIZE(piece) - body.offset))
        memcpy(to, PyBytes_AS_STRING(piece) + body.offset, step)
        to += step
        octets -= step
        body.offset += step
        if body.offset == PyBytes_GET_SIZE(piece):
            body.at += 1
            body.offset = 0
    if body.pieces is None:
        return
    if body.at == len(body.pieces):
        body.pieces = None
        body.at = 0
    elif body.at >= 64:
        del body.pieces[:body.at]
        body.at = 0


cdef int _collect(void *session) noexcept:
    """Frame after frame, until there is no more or it is enough: _nghttp2.pyx says why it stops between frames only."""
    global _out_octets
    cdef const uint8_t *frame
    cdef Py_ssize_t octets
    while _out_octets < _out_limit:
        octets = nghttp2.send(session, &frame)
        if octets <= 0:
            return <int>octets
        if not _make_room(octets):
            return ERR_CALLBACK_FAILURE
        memcpy(_out + _out_octets, frame, octets)
        _out_octets += octets
    return 0


cdef Py_ssize_t _read_body(
    void *session, int32_t stream, uint8_t *buffer, size_t room, uint32_t *flags, Source *source, void *user,
) noexcept:
    """How much of a body goes into a DATA frame; `_send_body` puts it there."""
    cdef Body body = <Body>source.ptr
    cdef size_t octets = min(room, body.queued)
    cdef Field *fields = NULL
    flags[0] |= DATA_FLAG_NO_COPY
    if body.ended and octets == body.queued:
        flags[0] |= DATA_FLAG_EOF
        if body.trailers is not None:
            fields = _as_fields(body.trailers)
            if fields == NULL or nghttp2.submit_trailer(session, stream, fields, len(body.trailers)) < 0:
                return ERR_CALLBACK_FAILURE
            flags[0] |= DATA_FLAG_NO_END_STREAM
    elif not octets:
        body.deferred = True
        return ERR_DEFERRED
    return octets


cdef int _send_body(
    void *session, Head *frame, const uint8_t *head, size_t octets, Source *source, void *user,
) noexcept:
    global _out_octets
    if not _make_room(9 + octets):
        return ERR_CALLBACK_FAILURE
    memcpy(_out + _out_octets, head, 9)
    _take(<Body>source.ptr, _out + _out_octets + 9, octets)
    _out_octets += 9 + octets
    (<DirectEngine>user)._queued -= octets
    return 0 if _out_octets < _out_limit else ERR_PAUSE  # after this frame


# Header fields. The same ones come again and again, on every connection: they are made once.

cdef PyObject *_known[KNOWN]
cdef Field _given[MOST_FIELDS]


cdef Field *_as_fields(list fields) noexcept:
    """For one call of nghttp2, which copies them; NULL: there are too many, or they are none."""
    cdef Py_ssize_t at
    cdef object field, name, value
    if len(fields) > MOST_FIELDS:
        return NULL
    for at in range(len(fields)):
        field = fields[at]
        if not isinstance(field, tuple) or len(<tuple>field) != 2:
            return NULL
        name, value = (<tuple>field)[0], (<tuple>field)[1]
        if type(name) is not bytes or type(value) is not bytes:
            return NULL
        _given[at].name = <uint8_t *>PyBytes_AS_STRING(name)
        _given[at].value = <uint8_t *>PyBytes_AS_STRING(value)
        _given[at].namelen = PyBytes_GET_SIZE(name)
        _given[at].valuelen = PyBytes_GET_SIZE(value)
        _given[at].flags = 0 if type(field) is tuple else NV_FLAG_NO_INDEX
    return _given


cdef inline uint64_t _hash(uint64_t seed, const uint8_t *data, size_t octets) noexcept:
    cdef uint64_t word
    while octets >= 8:
        memcpy(&word, data, 8)
        seed = (seed ^ word) * <uint64_t>0x9E3779B97F4A7C15
        seed ^= seed >> 32
        data += 8
        octets -= 8
    word = octets
    while octets:
        octets -= 1
        word = word << 8 | data[octets]
    seed = (seed ^ word) * <uint64_t>0x9E3779B97F4A7C15
    return seed ^ seed >> 32


cdef inline bint _same(object kept, const uint8_t *data, size_t octets) noexcept:
    return <size_t>PyBytes_GET_SIZE(kept) == octets and memcmp(PyBytes_AS_STRING(kept), data, octets) == 0


cdef object _field(const uint8_t *name, size_t name_octets, const uint8_t *value, size_t value_octets):
    cdef uint64_t slot
    cdef tuple field
    if value_octets > LONGEST_KNOWN or name_octets > LONGEST_KNOWN:
        return (<const char *>name)[:name_octets], (<const char *>value)[:value_octets]
    slot = _hash(_hash(_seed, name, name_octets), value, value_octets) % KNOWN
    if _known[slot] != NULL:
        field = <tuple>_known[slot]
        if _same(field[1], value, value_octets) and _same(field[0], name, name_octets):
            return field
    field = (_name(name, name_octets), (<const char *>value)[:value_octets])
    Py_XDECREF(_known[slot])
    Py_INCREF(field)
    _known[slot] = <PyObject *>field
    return field


cdef PyObject *_names[KNOWN]
cdef uint64_t _seed = int.from_bytes(urandom(8), "little")


cdef bytes _name(const uint8_t *name, size_t octets):
    cdef uint64_t slot = _hash(_seed, name, octets) % KNOWN
    cdef bytes kept
    if _names[slot] != NULL:
        kept = <bytes>_names[slot]
        if _same(kept, name, octets):
            return kept
    kept = (<const char *>name)[:octets]
    Py_XDECREF(_names[slot])
    Py_INCREF(kept)
    _names[slot] = <PyObject *>kept
    return kept


# What nghttp2 tells. A callback that fails is the end of the connection.

cdef int _begin_headers(void *session, const Head *frame, void *user) noexcept:
    cdef DirectEngine engine = <DirectEngine>user
    engine._fields, engine._octets = [], 0
    return 0


cdef int _header(
    void *session, const Head *frame, const uint8_t *name, size_t name_octets, const uint8_t *value,
    size_t value_octets, uint8_t flags, void *user,
) noexcept:
    cdef DirectEngine engine = <DirectEngine>user
    cdef object field
    engine._octets += name_octets + value_octets + 32
    if engine._octets > engine._most_octets or len(engine._fields) >= MOST_FIELDS:
        engine._failure = "a header list beyond every limit"
        return ERR_CALLBACK_FAILURE
    try:
        field = _field(name, name_octets, value, value_octets) if not flags & NV_FLAG_NO_INDEX else NeverIndexedHeader(
            (<const char *>name)[:name_octets], (<const char *>value)[:value_octets])
        engine._fields.append(field)
    except MemoryError:
        return ERR_CALLBACK_FAILURE
    return 0


cdef int _invalid_header(
    void *session, const Head *frame, const uint8_t *name, size_t name_octets, const uint8_t *value,
    size_t value_octets, uint8_t flags, void *user,
) noexcept:
    return ERR_TEMPORAL_CALLBACK_FAILURE  # the stream is reset: RFC 9113 section 8.2.1


cdef int _data_chunk(
    void *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t octets, void *user,
) noexcept:
    (<DirectEngine>user)._events.append((ON_DATA, stream, (<const char *>data)[:octets]))
    return 0


cdef int _frame_received(void *session, const Head *frame, void *user) noexcept:
    cdef DirectEngine engine = <DirectEngine>user
    cdef int kind = frame.type
    cdef bint end = frame.flags & FLAG_END_STREAM
    if kind == HEADERS:
        engine._events.append(_heard(engine._fields, <const HeadersFrame *>frame, end))
        engine._fields = _NOTHING
    elif kind == DATA and end:
        _end_data(engine._events, frame.stream_id)
    elif kind == SETTINGS and not frame.flags & FLAG_ACK:
        _heed(engine, <const SettingsFrame *>frame)
        engine._events.append((ON_SETTINGS, 0, None))
    elif kind == RST_STREAM:
        engine._reset = frame.stream_id
    elif kind == PING and frame.flags & FLAG_ACK:
        engine._events.append((ON_PONG, 0, None))
    elif kind == GOAWAY:
        _closing(engine, <const GoawayFrame *>frame)
        engine._events.append((ON_GOAWAY, (<const GoawayFrame *>frame).last_stream_id, engine._code))
    return 0


cdef tuple _heard(list fields, const HeadersFrame *frame, bint end):
    if frame.cat == HCAT_REQUEST:
        return ON_HEAD_END if end else ON_HEAD, frame.hd.stream_id, fields
    # nghttp2 has seen to it that pseudo-headers come first, and are those that belong here.
    if not fields or fields[0][0] != b":status":
        return ON_TRAILERS, frame.hd.stream_id, fields
    if fields[0][1].startswith(b"1"):
        return ON_INTERIM, frame.hd.stream_id, fields
    return ON_HEAD_END if end else ON_HEAD, frame.hd.stream_id, fields


cdef _end_data(list events, int32_t stream):
    cdef tuple last
    if events:
        last = events[len(events) - 1]
        if last[0] == ON_DATA and last[1] == stream:
            events[len(events) - 1] = (ON_DATA_END, stream, last[2])
            return
    events.append((ON_DATA_END, stream, b""))


cdef _heed(DirectEngine engine, const SettingsFrame *frame):
    cdef size_t at
    for at in range(frame.niv):
        if frame.iv[at].settings_id == 3:
            engine.max_streams = frame.iv[at].value
        elif frame.iv[at].settings_id == 8:
            engine.extended_connect = frame.iv[at].value != 0


cdef _closing(DirectEngine engine, const GoawayFrame *frame):
    engine._closing = True
    engine._code = frame.error_code
    engine._reason = (<const char *>frame.opaque_data)[:frame.opaque_data_len]


cdef int _stream_closed(void *session, int32_t stream, uint32_t code, void *user) noexcept:
    cdef DirectEngine engine = <DirectEngine>user
    cdef Body body = engine._bodies.pop(stream, None)
    if body is not None:
        engine._queued -= body.queued
        engine._slow -= body.slow
    engine._events.append((ON_RESET if engine._reset == stream else ON_CLOSED, stream, code))
    return 0


cdef int _frame_sent(void *session, const Head *frame, void *user) noexcept:
    if frame.type == GOAWAY:
        _closing(<DirectEngine>user, <const GoawayFrame *>frame)
    return 0


cdef int _frame_not_sent(void *session, const Head *frame, int fault, void *user) noexcept:
    if frame.type != HEADERS or (<const HeadersFrame *>frame).cat == HCAT_REQUEST:
        return 0
    if fault not in (ERR_STREAM_CLOSED, ERR_STREAM_CLOSING, ERR_STREAM_SHUT_WR, ERR_SESSION_CLOSING):
        nghttp2.submit_rst(session, 0, frame.stream_id, INTERNAL_ERROR)  # a head too long, say: nothing can follow it
    return 0


cdef void _random(uint8_t *to, size_t octets) noexcept:
    cdef bytes found = urandom(octets)
    memcpy(to, PyBytes_AS_STRING(found), octets)


cdef void *_callbacks = NULL
cdef void *_options = NULL


cdef _prepare():
    """What is the same for all connections."""
    if nghttp2.callbacks_new(&_callbacks) or nghttp2.option_new(&_options):
        raise MemoryError
    nghttp2.set_send_data(_callbacks, <void *>_send_body)
    nghttp2.set_begin_headers(_callbacks, <void *>_begin_headers)
    nghttp2.set_header(_callbacks, <void *>_header)
    nghttp2.set_invalid_header(_callbacks, <void *>_invalid_header)
    nghttp2.set_data_chunk(_callbacks, <void *>_data_chunk)
    nghttp2.set_frame_recv(_callbacks, <void *>_frame_received)
    nghttp2.set_frame_send(_callbacks, <void *>_frame_sent)
    nghttp2.set_frame_not_send(_callbacks, <void *>_frame_not_sent)
    nghttp2.set_stream_close(_callbacks, <void *>_stream_closed)
    nghttp2.set_rand(_callbacks, <void *>_random)
    nghttp2.option_no_auto_window_update(_options, 1)
    nghttp2.option_max_outbound_ack(_options, MOST_ACKS)
    # nghttp2 counts one for each read that brings a part of a head; budget.py counts frames.
    nghttp2.option_max_continuations(_options, MOST_CONTINUATIONS)


_prepare()


cdef class DirectEngine(Sending):
    """Implements Engine."""

    def __init__(self, role, owner, terms):
        cdef Setting settings[4]
        self._owner = owner
        self._bodies, self._events, self._fields = {}, [], _NOTHING
        self._most_octets = 2 * terms.header_octets
        self._reason = self._rest = self._last_words = b""
        self.max_streams = 100
        if role is Role.SERVER:
            fault = new_server(&self._session, _callbacks, <void *>self, _options)
        else:
            fault = nghttp2.client_new(&self._session, _callbacks, <void *>self, _options, &memory)
        if fault:
            raise MemoryError
        settings[0] = Setting(4, terms.stream_window)
        settings[1] = Setting(6, terms.header_octets)
        if role is Role.SERVER:
            settings[2] = Setting(3, terms.max_streams)
            settings[3] = Setting(8, int(terms.extended_connect))
        else:
            settings[2] = Setting(2, 0)
        nghttp2.submit_settings(self._session, 0, settings, 4 if role is Role.SERVER else 3)
        nghttp2.set_window(self._session, 0, 0, terms.connection_window)

    def __dealloc__(self):
        if self._session != NULL:
            nghttp2.session_del(self._session)

    # Bytes.

    cpdef receive(self, bytes data):
        cdef Py_ssize_t taken
        if self._over:
            return
        taken = nghttp2.receive(self._session, <const uint8_t *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        if self._closing:
            self._look_for_end()
        if self._events:
            self._tell()
        if taken < 0 and not self._over:
            self._fail(<int>taken)

    cpdef outgoing(self, Py_ssize_t limit=NO_LIMIT):
        cdef bytes out
        if self._over:
            out, self._rest, self._last_words = self._rest + self._last_words, b"", b""
            return out
        out = self._written(limit)
        if self._closing:
            self._look_for_end()
        if self._events:
            self._tell()
        if self._exhausted and not self._over:
            self._end(H2Error.INTERNAL_ERROR, "out of memory")
        if self._slow or self._queued > HIGH_WATER:
            self._weigh()
        return out

    cdef bytes _written(self, Py_ssize_t limit):
        """What nghttp2 has to say; a frame that goes beyond the limit is kept for the next time."""
        global _out_octets, _out_limit
        cdef size_t kept = PyBytes_GET_SIZE(self._rest)
        cdef bytes out
        _out_octets, _out_limit = 0, limit
        if kept:
            _make_room(kept)
            memcpy(_out, PyBytes_AS_STRING(self._rest), kept)
            _out_octets = kept
            self._rest = b""
        self._exhausted = _collect(self._session) < 0
        if _out_octets <= <size_t>limit:
            return PyBytes_FromStringAndSize(_out, _out_octets)
        out = PyBytes_FromStringAndSize(_out, limit)
        self._rest = PyBytes_FromStringAndSize(_out + limit, _out_octets - limit)
        return out

    cdef _look_for_end(self):
        """After a GOAWAY of either side: whether nothing more can come."""
        if not nghttp2.want_read(self._session) and not nghttp2.want_write(self._session):
            self._events.append((ON_END, 0, None))

    cdef _weigh(self):
        """Tell of streams whose queue has grown too long, or is short again."""
        cdef Body body
        for stream, body in list(self._bodies.items()):
            if not body.slow and body.queued > HIGH_WATER:
                body.slow = True
                self._slow += 1
                self._owner.slow(stream)
            elif body.slow and body.queued <= LOW_WATER:
                body.slow = False
                self._slow -= 1
                self._owner.ready(stream)

    # Facts.

    cdef _tell(self):
        cdef list events = self._events
        cdef tuple event
        cdef int kind
        owner = self._owner
        self._events = []
        for event in events:
            kind, stream, what = event[0], event[1], event[2]
            if kind == ON_DATA or kind == ON_DATA_END:
                owner.data(stream, what, kind == ON_DATA_END)
            elif kind == ON_HEAD or kind == ON_HEAD_END:
                self._last = stream
                owner.head(stream, what, kind == ON_HEAD_END)
            elif kind == ON_CLOSED or kind == ON_RESET:
                owner.closed(stream, what, kind == ON_RESET)
            elif kind == ON_TRAILERS:
                owner.trailers(stream, what)
            elif kind == ON_INTERIM:
                owner.interim(stream, what)
            elif kind == ON_SETTINGS:
                self.greeted = True
                owner.settings()
            elif kind == ON_GOAWAY:
                owner.goaway(stream, what)
            elif kind == ON_PONG:
                owner.pong()
            else:
                self._end(self._code, self._reason.decode("ascii", "replace"))
            if self._over:
                return

    cdef _end(self, uint32_t code, str reason):
        self._over = True
        self._owner.ended(code, reason)

    cdef _fail(self, int fault):
        """The other side has broken the protocol in a way that nghttp2 has no answer to."""
        calm = fault in (ERR_FLOODED, ERR_TOO_MANY_CONTINUATIONS) or self._failure is not None
        code = H2Error.ENHANCE_YOUR_CALM if calm else H2Error.PROTOCOL_ERROR
        self._last_words = goaway_frame(self._last, code)
        self._end(code, self._failure or nghttp2.strerror(fault).decode())

    # Orders.

    def open(self, list fields, *, bint end):
        cdef Provider provider
        cdef Body body = None if end else Body()
        cdef Field *given = _as_fields(fields)
        cdef int32_t stream
        if self._over or given == NULL or not nghttp2.request_allowed(self._session):
            return 0
        if end:
            stream = nghttp2.submit_request(self._session, NULL, given, len(fields), NULL, NULL)
        else:
            provider.source.ptr, provider.read_callback = <void *>body, _read_body
            stream = nghttp2.submit_request(self._session, NULL, given, len(fields), &provider, NULL)
        if stream < 0:
            return 0
        if not end:
            self._bodies[stream] = body
        return stream

    def inform(self, int32_t stream, list fields):
        cdef Field *given = _as_fields(fields)
        if not self._over and given != NULL and nghttp2.local_close(self._session, stream) == 0:
            nghttp2.submit_headers(self._session, 0, stream, NULL, given, len(fields), NULL)

    def respond(self, int32_t stream, list fields, *, bint end):
        cdef Provider provider
        cdef Body body
        cdef Field *given = _as_fields(fields)
        if self._over or stream in self._bodies or nghttp2.local_close(self._session, stream) != 0:
            return
        if given == NULL:
            nghttp2.submit_rst(self._session, 0, stream, INTERNAL_ERROR)
        elif end:
            nghttp2.submit_response(self._session, stream, given, len(fields), NULL)
        else:
            body = Body()
            provider.source.ptr, provider.read_callback = <void *>body, _read_body
            if nghttp2.submit_response(self._session, stream, given, len(fields), &provider) == 0:
                self._bodies[stream] = body

    cpdef send(self, stream, bytes data):
        cdef Body body = self._bodies.get(stream)
        if self._over or body is None or body.ended or not data:
            return
        if body.pieces is None:
            body.pieces = [data]
        else:
            body.pieces.append(data)
        body.queued += len(data)
        self._queued += len(data)
        if body.deferred:
            body.deferred = False
            nghttp2.resume_data(self._session, stream)

    def finish(self, int32_t stream, list trailers):
        cdef Body body = self._bodies.get(stream)
        if self._over or body is None or body.ended:
            return
        body.ended = True
        if trailers:
            body.trailers = list(trailers)
        if body.deferred:
            body.deferred = False
            nghttp2.resume_data(self._session, stream)

    def reset(self, int32_t stream, uint32_t code):
        if not self._over:
            nghttp2.submit_rst(self._session, 0, stream, code)

    cpdef consume(self, int32_t stream, Py_ssize_t octets):
        if octets > 0 and not self._over:
            nghttp2.consume(self._session, stream, octets)

    def queued(self, int32_t stream):
        cdef Body body = self._bodies.get(stream)
        return 0 if body is None else body.queued

    def ping(self):
        cdef uint8_t nothing[8]
        if not self._over:
            nothing[:] = [0, 0, 0, 0, 0, 0, 0, 0]
            nghttp2.submit_ping(self._session, 0, nothing)

    def notice(self):
        if not self._over:
            nghttp2.submit_notice(self._session)

    def goaway(self, uint32_t code):
        if not self._over:
            nghttp2.submit_goaway(self._session, 0, nghttp2.last_stream(self._session), code, NULL, 0)
