// SPDX-License-Identifier: LGPL-3.0-or-later
// Goroutines and channels at work: usage: channel-go ROW THREADS; prints nanoseconds
// for each hop, leaf, choice or goroutine, for each line that is read, as channel.scm.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

func wait(done chan int, n int) {
	for i := 0; i < n; i++ {
		<-done
	}
}

func pingPong() int {
	done := make(chan int)
	for p := 0; p < 10; p++ {
		to, from := make(chan int), make(chan int)
		go func() {
			for i := 0; i < 2000; i++ {
				to <- 1
				<-from
			}
			done <- 1
		}()
		go func() {
			for i := 0; i < 2000; i++ {
				<-to
				from <- 2
			}
		}()
	}
	wait(done, 10)
	return 40000
}

func link(from, to chan int, n int) {
	for i := 0; i < n; i++ {
		to <- <-from
	}
}

func chain() int {
	first := make(chan int)
	last := first
	for l := 0; l < 10; l++ {
		to := make(chan int)
		go link(last, to, 2000)
		last = to
	}
	go func() {
		for i := 0; i < 2000; i++ {
			first <- 1
		}
	}()
	wait(last, 2000)
	return 22000
}

func diagonal() int {
	first, last := make(chan int), make(chan int)
	for l := 0; l < 10; l++ {
		go link(first, last, 1000)
	}
	go func() {
		for i := 0; i < 10000; i++ {
			first <- 1
		}
	}()
	wait(last, 10000)
	return 20000
}

func fanOut() int {
	channel, done := make(chan int), make(chan int)
	for l := 0; l < 10; l++ {
		go func() {
			wait(channel, 2000)
			done <- 1
		}()
	}
	for i := 0; i < 20000; i++ {
		channel <- 1
	}
	wait(done, 10)
	return 20000
}

func without(prime int, from chan int) chan int {
	to := make(chan int)
	go func() {
		for {
			if n := <-from; n%prime != 0 {
				to <- n
			}
		}
	}()
	return to
}

func sieve() int {
	from := make(chan int)
	go func(to chan int) {
		for n := 2; ; n++ {
			to <- n
		}
	}(from)
	for i := 0; i < 100; i++ {
		from = without(<-from, from)
	}
	return 100
}

func leafOrBranch(to chan int, number, size int) {
	if size == 1 {
		to <- number
		return
	}
	from := make(chan int)
	for i := 0; i < 10; i++ {
		go leafOrBranch(from, number+i*size/10, size/10)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-from
	}
	to <- sum
}

func skynet() int {
	channel := make(chan int)
	go leafOrBranch(channel, 0, 10000)
	<-channel
	return 10000
}

func choice() int {
	a, b := make(chan int), make(chan int)
	go func() {
		for i := 0; i < 5000; i++ {
			a <- 1
			b <- 2
		}
	}()
	for i := 0; i < 10000; i++ {
		timer := time.NewTimer(time.Minute)
		select {
		case <-a:
		case <-b:
		case <-timer.C:
		}
		timer.Stop()
	}
	return 10000
}

func start() int {
	done := make(chan int)
	for i := 0; i < 20000; i++ {
		go func() { done <- 1 }()
	}
	wait(done, 20000)
	return 20000
}

func main() {
	rows := map[string]func() int{"ping-pong": pingPong, "chain": chain,
		"diagonal": diagonal, "fan-out": fanOut, "sieve": sieve,
		"skynet": skynet, "choice": choice, "start": start}
	threads, _ := strconv.Atoi(os.Args[2])
	runtime.GOMAXPROCS(threads)
	row := rows[os.Args[1]]
	row()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		before, count := time.Now(), 0
		for time.Since(before) < 100*time.Millisecond {
			count += row()
		}
		fmt.Println(float64(time.Since(before).Nanoseconds()) / float64(count))
	}
}
