cpdef int form_of(list fields) except -1
cpdef list without(list fields, object names, tuple prefixes)
cpdef tuple parted(list fields, object names)
cpdef bint unbroken(bytes text) except -1
cpdef lines_of(list fields)
cpdef first(list fields, bytes name)
