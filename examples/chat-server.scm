;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; chat-server.scm ADDRESS: a chat over TCP, "127.0.0.1:7000" say, or over a UNIX
;;; socket, "unix:/tmp/chat"; `socat - TCP:127.0.0.1:7000' is a client.  The first
;;; line that a guest writes is the name, each other goes to all others.  A guest
;;; has a task that reads and one that writes; between them is a channel, so that
;;; nobody waits for a guest who does not read: when it is full, the guest is out.

(use-modules (sockport) (sockport channel)
             (ice-9 exceptions) (ice-9 match) (ice-9 rdelim) (rnrs bytevectors))

(define guests (make-hash-table))       ; from channels to groups of tasks

(define (tell-all line except)
  ;; Not hash-for-each, which is written in C: a task could not wait inside it.
  (for-each (match-lambda
              ((outbox . group)
               (unless (eq? outbox except)
                 ;; 0 seconds: only if there is room now.
                 (with-deadline 0
                   (lambda () (channel-put outbox line))
                   (lambda () (cancel! group))))))
            (hash-map->list cons guests)))

(define (write-lines outbox sock)
  (send sock (string->utf8 (string-append (channel-get outbox) "\n")))
  (write-lines outbox sock))

(define (read-lines outbox name sock)
  (match (read-line sock)
    ((? eof-object?) #t)
    (line
     (tell-all (string-append name ": " line) outbox)
     (read-lines outbox name sock))))

(define (chat sock name)
  (define outbox (make-channel 64))
  (with-task-group
   (lambda (group)
     (spawn-task (lambda () (write-lines outbox sock)) #:group group)
     (hashq-set! guests outbox group)
     ;; To the guest as well, who knows from it to be one.
     (tell-all (string-append name " has come") #f)
     (call-with-cleanup
      (lambda () (read-lines outbox name sock))
      (lambda ()
        (hashq-remove! guests outbox)
        (tell-all (string-append name " has gone") outbox)))
     (cancel! group))))

(define (welcome sock peer)
  (set-port-encoding! sock "UTF-8")
  (setvbuf sock 'block)
  (match (read-line sock)
    ((? eof-object?) #t)
    (name (chat sock name))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ address)
     (serve address welcome #:idle-seconds 3600 #:grace-seconds 1
            #:on-listen
            (lambda (server)
              (for-each (lambda (address)
                          (format #t "chatting at ~a~%"
                                  (socket-address->string address)))
                        (server-addresses server))
              (force-output))))
    (_
     (display "usage: chat-server.scm ADDRESS\n" (current-error-port))
     (exit 2))))
