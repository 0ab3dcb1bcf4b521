// SPDX-License-Identifier: LGPL-3.0-or-later

// A server of HTTPS in Go, for bench/tls.scm: PORT CERTIFICATE KEY.
package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
)

func main() {
	runtime.GOMAXPROCS(1)
	large := bytes.Repeat([]byte("a"), 1048576)
	hello := []byte("Hello, World!")
	handler := func(w http.ResponseWriter, r *http.Request) {
		body := hello
		if r.URL.Path == "/large" {
			body = large
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}
	server := &http.Server{
		Addr:     "127.0.0.1:" + os.Args[1],
		Handler:  http.HandlerFunc(handler),
		ErrorLog: log.New(io.Discard, "", 0),
		// HTTP/1.1, as the others.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	log.Fatal(server.ListenAndServeTLS(os.Args[2], os.Args[3]))
}
