// SPDX-License-Identifier: LGPL-3.0-or-later

// A server of HTTP in Go, for bench/http.scm: PORT FILE.
package main

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
)

var page = bytes.Repeat([]byte("a"), 10240)
var large = bytes.Repeat([]byte("a"), 1048576)

func send(w http.ResponseWriter, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func main() {
	runtime.GOMAXPROCS(1)
	hello := []byte("Hello, World!")
	file := os.Args[2]
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == "POST":
			body, _ := io.ReadAll(r.Body)
			send(w, "text/plain;charset=utf-8", []byte(strconv.Itoa(len(body))))
		case r.URL.Path == "/10k":
			send(w, "text/html;charset=utf-8", page)
		case r.URL.Path == "/1m":
			send(w, "text/html;charset=utf-8", large)
		case r.URL.Path == "/file.html":
			http.ServeFile(w, r, file)
		default:
			send(w, "text/plain;charset=utf-8", hello)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
