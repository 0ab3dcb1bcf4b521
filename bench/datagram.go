// SPDX-License-Identifier: LGPL-3.0-or-later

// What Go does in bench/datagram.scm: datagram-go WORK SIZE COUNT ROUNDS prints
// datagrams a second.
package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func udp() *net.UDPConn {
	sock, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(err)
	raw, err := sock.SyscallConn()
	check(err)
	check(raw.Control(func(fd uintptr) {
		room := 8000000
		if syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, room) != nil {
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, room)
		}
	}))
	return sock
}

func address(sock *net.UDPConn) netip.AddrPort {
	return sock.LocalAddr().(*net.UDPAddr).AddrPort()
}

func number(i int) int {
	n, err := strconv.Atoi(os.Args[i])
	check(err)
	return n
}

func drain(sock *net.UDPConn, buffer []byte) {
	sock.SetReadDeadline(time.Now().Add(time.Millisecond))
	for {
		if _, _, err := sock.ReadFromUDPAddrPort(buffer); err != nil {
			break
		}
	}
	sock.SetReadDeadline(time.Time{})
}

func main() {
	work, size, count, rounds := os.Args[1], number(2), number(3), number(4)
	one, two := udp(), udp()
	data, buffer, to := make([]byte, size), make([]byte, size), address(two)
	send := func() {
		for i := 0; i < count; i++ {
			_, err := one.WriteToUDPAddrPort(data, to)
			check(err)
		}
	}
	var spent time.Duration
	for round := 0; round < rounds; round++ {
		if work != "send" {
			send()
		}
		start := time.Now()
		if work == "send" {
			send()
		} else {
			for i := 0; i < count; i++ {
				n, peer, err := two.ReadFromUDPAddrPort(buffer)
				check(err)
				if work == "echo" {
					_, err = two.WriteToUDPAddrPort(buffer[:n], peer)
					check(err)
				}
			}
		}
		spent += time.Since(start)
		drain(one, buffer)
		drain(two, buffer)
	}
	fmt.Println(float64(count*rounds) * 1e9 / float64(spent.Nanoseconds()))
}
