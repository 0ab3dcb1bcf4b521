// SPDX-License-Identifier: LGPL-3.0-or-later
// resolve-go resolve COUNT AT-ONCE PREFIX: looks COUNT different names up and prints
// how many that were a second.  GODEBUG=netdns=cgo and netdns=go say by which way.
// resolve-go connect COUNT ADDRESS: connects so often and prints nanoseconds each.

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func resolve(count, atOnce int, prefix string) {
	var next int64 = -1
	var group sync.WaitGroup
	start := time.Now()
	for i := 0; i < atOnce; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				n := atomic.AddInt64(&next, 1)
				if n >= int64(count) {
					return
				}
				_, err := net.DefaultResolver.LookupIP(context.Background(),
					"ip4", fmt.Sprintf("%s-%d.test", prefix, n))
				fail(err)
			}
		}()
	}
	group.Wait()
	fmt.Println(float64(count) / time.Since(start).Seconds())
}

func connect(count int, address string) {
	start := time.Now()
	for i := 0; i < count; i++ {
		connection, err := net.Dial("tcp", address)
		fail(err)
		connection.Close()
	}
	fmt.Println(float64(time.Since(start).Nanoseconds()) / float64(count))
}

func main() {
	count, err := strconv.Atoi(os.Args[2])
	fail(err)
	if os.Args[1] == "connect" {
		connect(count, os.Args[3])
		return
	}
	atOnce, err := strconv.Atoi(os.Args[3])
	fail(err)
	resolve(count, atOnce, os.Args[4])
}
