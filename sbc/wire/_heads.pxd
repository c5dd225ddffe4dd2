cpdef Py_ssize_t head_end(bytes data, Py_ssize_t at) except -2
cpdef request_line(bytes head)
cpdef status_line(bytes head)
cpdef fields_of(bytes head, Py_ssize_t at)
