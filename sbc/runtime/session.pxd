cdef class Session:
    cdef object __weakref__
    cdef public object closed, dialog, house, legs, meter, policy, record, tenancy, turn
    cdef list _events
    cdef public double good_until
    cdef double _idle
    cdef long long _passed
    cdef bint _busy
    cdef object _armed, _timer
