cpdef request_line(bytes head)
cpdef status_line(bytes head)
cpdef fields_of(bytes head, Py_ssize_t at)
