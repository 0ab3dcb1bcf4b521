// SPDX-License-Identifier: LGPL-3.0-or-later
// What a goroutine costs, on one processor: usage: spawn-go start|yield; prints
// nanoseconds.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

func start(n int) {
	done := make(chan int)
	for i := 0; i < n; i++ {
		go func() { done <- 1 }()
		<-done
	}
}

func yield(tasks, n int) {
	var all sync.WaitGroup
	for i := 0; i < tasks; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := 0; j < n; j++ {
				runtime.Gosched()
			}
		}()
	}
	all.Wait()
}

func main() {
	runtime.GOMAXPROCS(1)
	before := time.Now()
	count := 200000
	if os.Args[1] == "start" {
		start(count)
	} else {
		yield(50, count/50)
	}
	fmt.Println(float64(time.Since(before).Nanoseconds()) / float64(count))
}
