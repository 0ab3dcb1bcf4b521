// SPDX-License-Identifier: LGPL-3.0-or-later

// Requests by Go's net/http, for bench/client.scm: PORT REQUESTS CONNECTIONS;
// prints the nanoseconds they took.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	runtime.GOMAXPROCS(1)
	requests, _ := strconv.Atoi(os.Args[2])
	connections, _ := strconv.Atoi(os.Args[3])
	uri := "http://127.0.0.1:" + os.Args[1] + "/"
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	left := int64(requests)
	var group sync.WaitGroup
	begun := time.Now()
	for i := 0; i < connections; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for atomic.AddInt64(&left, -1) >= 0 {
				response, err := client.Get(uri)
				if err != nil {
					log.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != 200 ||
					string(body) != "Hello, World!" {
					log.Fatal("another response")
				}
			}
		}()
	}
	group.Wait()
	fmt.Println(time.Since(begun).Nanoseconds())
}
