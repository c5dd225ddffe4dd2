cpdef bytes cut(bytes data, Py_ssize_t start, Py_ssize_t end)
cpdef Py_ssize_t index(bytes data, int octet) noexcept
cpdef bytes decimal(long long number)
cpdef long long number_of(bytes digits, Py_ssize_t longest) noexcept
cpdef bytes in_eight(unsigned long long number)
cpdef void copy_into(bytearray buffer, Py_ssize_t at, bytes source, Py_ssize_t start, Py_ssize_t end) noexcept
cpdef void put_length(bytearray buffer, Py_ssize_t at, unsigned int length) noexcept
cpdef unsigned int get_length(bytearray buffer, Py_ssize_t at) noexcept
cpdef bint ascii_text(bytes data, Py_ssize_t start, Py_ssize_t end, Py_ssize_t mask_at) noexcept
