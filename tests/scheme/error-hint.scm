;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Errors that say what to do: addresses that are not allowed, taken or too long,
;;; groups and interfaces that there are not; and who names himself.

(use-modules (harness)
             (harness error)
             (harness process)
             (harness socket)
             (sockport))

(test-begin "error-hint")

(test-case "what is not allowed or taken says what to do"
  (let-ports ((sock (socket AF_INET SOCK_DGRAM 0)))
    (define hint
      "255.255.255.255:9: Permission denied (a broadcast address? that needs \
SO_BROADCAST, set before)")
    (test-words (string-append "sendto: " hint)
      (sendto sock "x" AF_INET INADDR_BROADCAST 9))
    (test-words (string-append "connect: " hint)
      (connect sock AF_INET INADDR_BROADCAST 9)))
  (with-temporary-directory
   (lambda (directory)
     (define name (string-append directory "/name"))
     (define taken "(the name is taken; if nobody listens there, delete the file)")
     (let-ports ((first (socket AF_UNIX SOCK_STREAM 0))
                 (second (socket AF_UNIX SOCK_STREAM 0)))
       (bind first AF_UNIX name)
       (test-words (format #f "bind: unix:~a: Address already in use ~a" name taken)
         (bind second AF_UNIX name))
       (test-words (format #f "connect: unix:~a: Connection refused (nobody listens there)"
                           name)
         (connect second AF_UNIX name))
       (listen first 1)
       (test-words (format #f "listen-on: unix:~a: Address already in use ~a"
                           name taken)
         (listen-on (string-append "unix:" name)))))))

(test-case "names that are too long, and how long they may be"
  (define name (string-append "/" (make-string 108 #\a)))
  (let-ports ((sock (socket AF_UNIX SOCK_STREAM 0)))
    (test-words (format #f "bind: longer than the 108 bytes that there are: ~s" name)
      (bind sock AF_UNIX name)))
  (test-words (format #f "connect-to: Argument 1 out of range (a name of at most 108 bytes): \"unix:~a\""
                      name)
    (connect-to (string-append "unix:" name))))

(test-case "groups and interfaces that are none"
  (let-ports ((sock (socket AF_INET SOCK_DGRAM 0))
              (sock6 (socket AF_INET6 SOCK_DGRAM 0)))
    (test-words "multicast-join!: 192.0.2.1: Invalid argument (no group; groups are 224.0.0.0 to 239.255.255.255)"
      (multicast-join! sock "192.0.2.1"))
    (test-words "multicast-leave!: fe80::1: Invalid argument (no group; groups are those that begin with ff)"
      (multicast-leave! sock6 "fe80::1"))
    (test-error* "with the system's number" `(system-error ,EINVAL "multicast-join!")
      (multicast-join! sock "192.0.2.1"))
    (test-words "multicast-join!: interface no-such-0: No such device"
      (multicast-join! sock "239.0.0.1" #:interface "no-such-0")))
  (test-words "if-nametoindex: interface no-such-0: No such device"
    (if-nametoindex "no-such-0")))

(test-case "what Guile writes above an error names what is known"
  (define (shown name)
    (procedure-name (module-ref (resolve-module '(sockport primitive)) name)))
  (for-each
   (lambda (row)
     (test-equal row (cdr row) (shown (car row))))
   '((%connect-result . connect) (%send-whole . send) (%recv-whole! . recv!)
     (%accept-now . accept) (%accept-next . accept) (%socket . socket) (%sendto . sendto)
     (bind . bind)))
  (module-for-each
   (lambda (name variable)
     (let ((value (variable-ref variable)))
       (when (and (procedure? value) (procedure-name value))
         (test-assert (list name 'is-not-internal)
           (not (string-index (symbol->string (procedure-name value)) #\%))))))
   (resolve-interface '(sockport primitive))))

(test-case "what is made of others names itself"
  (test-words "server-addresses: Wrong type argument in position 1 (expecting server): 5"
    (server-addresses 5))
  (test-words "socket-option: Wrong type argument in position 1 (expecting open file port): 5"
    (socket-option 5 'keepalive))
  (test-words "where->addresses: Wrong type argument in position 1 (expecting address, text or list of them): 5"
    (where->addresses 5))
  (test-words "http-get: Wrong type argument in position 1 (expecting URI, as \"http://host/path\"): 5"
    ((@ (sockport web-client) http-get) 5)))

(test-case "batches"
  (let ((batch (make-batch 2 8)))
    (test-words "batch-ref: Argument 2 out of range (the batch holds no datagrams): 0"
      (batch-ref batch 0))
    (test-words "batch-add!: Message too long (9 bytes, but a slot of the batch has 8)"
      (batch-add! batch "too large" #f))
    (batch-add! batch "one")
    (test-words "batch-ref: Argument 2 out of range (0 to 0): 1" (batch-ref batch 1))
    (call-with-port (open-file "/dev/null" "r0")
      (lambda (port)
        (test-words "batch-receive!: Socket operation on non-socket (the port is open on something that is no socket)"
          (batch-receive! batch port))))))

(test-end "error-hint")
