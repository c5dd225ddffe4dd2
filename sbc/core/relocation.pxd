from sbc.model.http cimport Response

cpdef relocated(Response response, str url)
