;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Multicast between two network namespaces, for IPv4 and IPv6, and answers that
;;; come from the address that was asked; with Python on the other side too.

(use-modules (harness) (harness example) (harness namespace)
             (harness process)
             (ice-9 match) (ice-9 rdelim) (srfi srfi-1))

(define mdns (example "mdns.scm"))

(define (ready? namespace)
  "Have the IPv6 addresses of NAMESPACE been found to be nobody else's?"
  (string-null? (ip "-n" namespace "addr" "show" "tentative")))

(define (with-responder proc)
  "Call PROC in a namespace that has a link to another, where `host' answers.  There
it has two addresses of each family."
  (call-with-namespaces 2
    (lambda (here there)
      (ip "link" "add" "here" "netns" here "type" "veth" "peer" "name" "there"
          "netns" there)
      (set-up here "here" '("10.8.0.1/24" "fd08::1/64"))
      (set-up there "there" '("10.8.0.2/24" "10.8.0.3/24"
                              "fd08::2/64" "fd08::3/64"))
      (wait-until (lambda () (and (ready? here) (ready? there))))
      (call-with-peer `("ip" "netns" "exec" ,there
                        ,@(mdns "answer" "host" "there"))
        (lambda (peer)
          (test-equal "it answers" "answering for host.local"
            (read-line (peer-output peer)))
          (in-namespace here proc))))))

(define (says answer sender)
  (list 0 (format #f "~a, says ~a~%" answer sender)))

(define (python-ask address)
  `("python3" "-c" "import socket, struct, sys
address = sys.argv[1]
family = socket.AF_INET6 if ':' in address else socket.AF_INET
sock = socket.socket (family, socket.SOCK_DGRAM)
sock.settimeout (3)
name = b'\\x04host\\x05local\\x00'
kind = 28 if ':' in address else 1
question = struct.pack ('!6H', 7, 0, 1, 0, 0, 0) + name + struct.pack ('!2H', kind, 1)
sock.sendto (question, (address, 5353))
data, sender = sock.recvfrom (1500)
head = struct.unpack ('!6H', data[:12])
assert head == (7, 0x8400, 1, 1, 0, 0), head
size = struct.unpack_from ('!H', data, len (question) + 10)[0]
answer = data[len (question) + 12:]
assert size == len (answer)
print (socket.inet_ntop (family, answer), 'says', sender[0].split ('%')[0], sep=', ', end='')"
    ,address))

(test-begin "real-mdns")

(test-case "everybody is asked"
  (with-responder
   (lambda ()
     (test-equal "IPv4" (says "10.8.0.2" "10.8.0.2")
       (output-of (mdns "ask" "host" "here" "4")))
     (match (output-of (mdns "ask" "host" "here" "6"))
       ((0 text)
        (test-assert "IPv6"
          (member text (map (lambda (address)
                              (second (says address address)))
                            '("fd08::2" "fd08::3")))))))))

(test-case "one address is asked, and it answers"
  (with-responder
   (lambda ()
     (for-each
      (lambda (address)
        (test-equal address (says address address)
          (output-of (mdns "ask" "host" "here" address))))
      '("10.8.0.2" "10.8.0.3" "fd08::2" "fd08::3")))))

(test-case "nobody has the name"
  (with-responder
   (lambda ()
     (match (output-and-errors-of (mdns "ask" "nobody" "here" "4"))
       ((status text)
        (test-equal "fails" 1 status)
        (test-assert "in time"
          (string-contains text "nobody has answered")))))))

(test-case "Python asks"
  (require-program "python3")
  (with-responder
   (lambda ()
     (for-each
      (lambda (address)
        (test-equal address
          (list 0 (format #f "~a, says, ~a" address address))
          (output-of (python-ask address))))
      '("10.8.0.3" "fd08::3"))
     ;; What is no question changes nothing.
     (test-equal "rubbish first" 0
       (first (output-of
               '("python3" "-c" "import socket
sock = socket.socket (socket.AF_INET, socket.SOCK_DGRAM)
for data in (b'', b'x', b'x' * 1500, b'\\0' * 12 + b'\\xff', bytes (1400)):
    sock.sendto (data, ('10.8.0.2', 5353))"))))
     (test-equal "it goes on" (says "10.8.0.2" "10.8.0.2")
       (output-of (mdns "ask" "host" "here" "4"))))))

(test-end "real-mdns")
