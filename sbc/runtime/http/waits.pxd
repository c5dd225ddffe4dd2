import cython

from sbc.runtime.http.exchange cimport Exchange
from sbc.runtime.http.legs cimport Places


@cython.locals(exchange=Exchange)
cpdef look(exchanges, Places legs, double hold, double elapsed)

@cython.locals(exchange=Exchange)
cpdef close(exchanges, int code, str reason)
