;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The command sockport from end to end, with other programs as its peers.

(use-modules (harness) (harness command) (harness json) (harness process)
             (harness socket) (ice-9 match) (ice-9 rdelim) (ice-9 regex) (ice-9 textual-ports)
             (srfi srfi-1) (sockport))

(define-syntax-rule (with-server (peer address argument ...) body ...)
  (call-with-server (list argument ...) (lambda (peer address) body ...)))

(define (port-of address)
  (last (string-split address #\:)))

(define (output-of . command)
  (call-with-values (lambda () (apply run-program command)) list))

(define (socat script address)
  "Run socat, fed by SCRIPT, against ADDRESS; return what comes back."
  (second (output-of "sh" "-c"
                     (string-append script " | socat -t 20 - TCP4:" address))))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "command")

(test-case "echo and connect"
  (with-server (peer address "echo" "127.0.0.1:0")
    (test-equal "both ours" '(0 "hello\nworld\n")
      (run-sockport "hello\nworld\n" "connect" address))
    (test-equal "by a name" '(0 "x")
      (run-sockport "x" "connect" (string-append "localhost:" (port-of address))))
    (let ((much (make-string 3000000 #\a)))
      (test-assert "much"
        (equal? (list 0 much) (run-sockport much "connect" address))))
    (test-equal "from another address" '(0 "y")
      (run-sockport "y" "connect" "--from=127.0.0.9" address))
    (test-equal "nothing" '(0 "") (run-sockport "" "connect" address))
    (require-program "socat")
    (test-equal "socat" "from socat" (socat "printf 'from socat'" address))))

(test-case "with a standard descriptor that is closed"
  (with-server (peer address "echo" "127.0.0.1:0")
    (for-each
     (match-lambda
       ((closed . expected)
        (test-equal closed expected
          (apply output-of "sh" "-c" (string-append "printf x | \"$@\" " closed) "sh"
                 (drop (sockport "connect" address) 4)))))
     '(("<&-" 0 "") (">&-" 0 "") ("2>&-" 0 "x") ("<&- >&- 2>&-" 0 "")))))

(test-case "with a standard output that takes nothing"
  (for-each
   (lambda (word)
     (test-equal word '(1 "sockport: No space left on device\n")
       (apply output-of "sh" "-c" "\"$@\" 2>&1 >/dev/full" "sh"
              (drop (sockport word) 4))))
   '("ls" "--version" "--help")))

(test-case "over UNIX sockets"
  (with-temporary-directory
   (lambda (directory)
     (with-server (peer address "echo" (string-append "unix:" directory "/s"))
       (test-equal '(0 "hello")
         (run-sockport "hello" "connect" address))))))

(test-case "connect, with socat listening"
  (require-program "socat")
  (call-with-peer '("socat" "TCP4-LISTEN:0,bind=127.0.0.1" "SYSTEM:tr a-z A-Z")
    (lambda (peer)
      (test-equal '(0 "LOUD")
        (run-sockport "loud" "connect"
                      (format #f "127.0.0.1:~a" (listening-port peer)))))))

(test-case "listen, with socat and Python connecting"
  (require-program "socat")
  (with-server (peer address "listen" "127.0.0.1:0")
    (put-string (peer-input peer) "to socat")
    (close-port (peer-input peer))
    (test-equal "there" "to socat" (socat "printf 'from socat'" address))
    (test-equal "and back" "from socat" (get-string-all (peer-output peer)))
    (test-equal "it ends" 0 (status:exit-val (peer-status peer))))
  (require-program "python3")
  (with-server (peer address "listen" "127.0.0.1:0")
    (test-equal "Python" '(0 "")
      (output-of "python3" "-c"
                 "import socket, sys
s = socket.create_connection (('127.0.0.1', int (sys.argv[1])))
s.sendall (b'from Python')
s.close ()"
                 (port-of address)))
    (test-equal "heard" "from Python" (get-string-all (peer-output peer)))))

(test-case "listen, with a command"
  (with-server (peer address "listen" "127.0.0.1:0" "--" "sh" "-c"
                     "read word; echo \"$word $1 $SOCKPORT_LOCAL\"" "sh" "arg")
    (for-each (lambda (word)
                (test-equal word
                  (list 0 (format #f "~a arg ~a~%" word address))
                  (run-sockport (string-append word "\n") "connect" address)))
              '("one" "two"))
    (kill (peer-pid peer) SIGTERM)
    (test-equal "SIGTERM ends it" 0 (status:exit-val (peer-status peer))))
  (with-server (peer address "listen" "127.0.0.1:0" "--" "/nonexistent")
    (test-equal "one that cannot be run" '(0 "")
      (run-sockport "" "connect" address))
    (let ((line (read-line (peer-output peer))))
      (test-assert "is said" (string-contains line "/nonexistent"))
      (test-equal "without the names of procedures" #f
        (string-contains line "In procedure")))
    ;; SIGTERM ends it: what else it says comes before that.
    (kill (peer-pid peer) SIGTERM)
    (test-equal "in a line" "" (get-string-all (peer-output peer)))))

(test-case "SIGINT ends the command that runs"
  (with-server (peer address "listen" "127.0.0.1:0" "--" "sh" "-c"
                     "echo $$; exec sleep 1000")
    (let-ports ((sock (connect-to address)))
      (let ((pid (string->number (read-line sock))))
        (kill (peer-pid peer) SIGINT)
        (test-equal "it ends" 0 (status:exit-val (peer-status peer)))
        (test-error* "so does the command" (list 'system-error ESRCH)
          (kill pid 0))))))

(test-case "proxy"
  (with-server (echo to "echo" "127.0.0.1:0")
    (with-server (peer address "proxy" "127.0.0.1:0" to)
      (test-equal '(0 "through") (run-sockport "through" "connect" address))
      (let ((much (make-string 2000000 #\b)))
        (test-assert "much"
          (equal? (list 0 much) (run-sockport much "connect" address)))))
    (with-temporary-directory
     (lambda (directory)
       (with-server (peer address "proxy" (string-append "unix:" directory "/p")
                          to)
         (test-equal "from UNIX to TCP" '(0 "through")
           (run-sockport "through" "connect" address)))))))

(define (header-seen version)
  "Return the first line that comes through a proxy which sends VERSION."
  (let-ports ((listener (tcp-listener)))
    (with-server (peer address "proxy" (string-append "--send-proxy-header="
                                                      version)
                       "127.0.0.1:0"
                       (socket-address->string (getsockname listener)))
      (let-ports ((client (connect-to address)))
        (let-ports ((server (car (accept listener))))
          (define from (socket-address->string (getsockname client)))
          (send client "after\n")
          (list (read-line server 'concat) from address))))))

(test-case "PROXY headers"
  (match (header-seen "1")
    ((line from to)
     (test-equal "version 1"
       (format #f "PROXY TCP4 127.0.0.1 127.0.0.1 ~a ~a\r\n"
               (port-of from) (port-of to))
       line)))
  (with-server (echo to "echo" "127.0.0.1:0")
    (with-server (inner between "proxy" "--accept-proxy-header" "127.0.0.1:0" to)
      (with-server (outer from "proxy" "--send-proxy-header=2" "127.0.0.1:0"
                          between)
        (test-equal "sent and taken" '(0 "through both")
          (run-sockport "through both" "connect" from)))
      (test-assert "without one, nothing comes back"
        (not (string-contains (second (run-sockport "no header at all" "connect"
                                                    between))
                              "header"))))))

(test-case "deadlines"
  (let-ports ((listener (tcp-listener)))
    (define where (socket-address->string (getsockname listener)))
    (test-equal "connect" '(4 "sockport: the deadline has passed\n")
      (run-sockport "" "connect" "--deadline=0.2" where)))
  (with-server (peer address "echo" "--deadline" "0.2" "127.0.0.1:0")
    (let-ports ((sock (connect-to address)))
      (test-assert "a connection's" (eof-object? (read-char sock))))
    (test-equal "not the server's" '(0 "x")
      (run-sockport "x" "connect" address))))

(define watch-terminal "
import os, pty, select, subprocess, sys
master, slave = pty.openpty ()
peer = subprocess.Popen ([sys.argv[1], 'connect', sys.argv[2]], stderr=slave,
                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
os.close (slave)
seen = b''
while b'received' not in seen:
    ready, room, _ = select.select ([master], [peer.stdin], [])
    if ready:
        seen += os.read (master, 1000)
    elif room:
        os.write (peer.stdin.fileno (), b'x' * 4096)
peer.stdin.close ()
peer.wait ()
try:
    while True:
        seen += os.read (master, 1000)
except OSError:
    pass
print (seen)
")

(test-case "a terminal shows how far a long transfer is"
  (require-program "python3")
  (with-server (peer address "echo" "127.0.0.1:0")
    (match (output-of "python3" "-c" watch-terminal
                      (string-append (getenv "SOCKPORT_BUILD") "/bin/sockport")
                      address)
      ((0 seen)
       (test-assert "how much, and how fast"
         (string-match "[0-9.]+ [kMG]?B sent, [0-9.]+ [kMG]?B received, [0-9.]+ \
[kMG]?B/s" seen))
       (test-assert "and wipes it out" (string-contains seen "\\r\\x1b[K'"))))))

(test-case "events as JSON"
  (call-with-peer (sockport "echo" "--json" "127.0.0.1:0")
    (lambda (peer)
      (define (next) (string->json (read-line (peer-output peer))))
      (let* ((listening (next)) (address (assoc-ref listening "address")))
        (test-equal "listening" "listening" (assoc-ref listening "event"))
        (run-sockport "x" "connect" address)
        (let ((connection (next)) (end (next)))
          (test-equal "connection" '("connection" "end")
            (map (lambda (event) (assoc-ref event "event"))
                 (list connection end)))
          (test-equal "the same peer" (assoc-ref connection "peer")
            (assoc-ref end "peer"))))))
  (with-server (peer address "echo" "127.0.0.1:0")
    (match (run-sockport "" "connect" "--json" address)
      ((0 output)
       (match (map string->json (string-split (string-trim-both output)
                                              #\newline))
         ((connected end)
          (test-equal "connected" address (assoc-ref connected "address"))
          (test-equal "bytes" '(0 0)
            (list (assoc-ref end "sent") (assoc-ref end "received")))))))))

(test-end "command")
