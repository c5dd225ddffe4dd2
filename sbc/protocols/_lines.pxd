cpdef Py_ssize_t event_end(bytes data, Py_ssize_t at) noexcept
cpdef bint may_have_id(bytes event) noexcept
cpdef bint just_data(bytes read) noexcept
cpdef bytes numbered(bytes before, unsigned long long number, bytes event)
