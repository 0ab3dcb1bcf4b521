;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Look-ups where many are dead, in several network namespaces, and where the files
;;; of the resolver change meanwhile.

(use-modules (harness) (harness dns) (harness namespace) (harness process)
             (harness socket) (ice-9 ftw) (ice-9 match) (ice-9 threads)
             (srfi srfi-1) (sockport))

(in-own-network)

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "resolve-crowd")

(define dead 1000)

(test-case "a thousand dead look-ups take 32 threads, and nobody else's time"
  (require-network)
  (let-ports ((server (name-server)))
    (define before (thread-count))
    (define most 0)
    (define ticks 0)
    (setsockopt server SOL_SOCKET SO_RCVBUF 1000000)
    (test-equal "all end at their deadline" '(expired)
      (run-tasks
       (lambda ()
         (define ended? #f)
         (define (look-up-in-vain i)
           (with-deadline 1
             (lambda () (look-up (format #f "dead~a.test" i)))
             (lambda () 'expired)))
         (define tasks
           (map (lambda (i) (spawn-task (lambda () (look-up-in-vain i))))
                (iota dead)))
         (spawn-task
          (lambda ()
            (let next ()
              (unless ended?
                (set! most (max most (- (thread-count) before)))
                (set! ticks (+ ticks 1))
                (sleep 1/100)
                (next)))))
         (task-yield)
         ;; What is numeric needs no place.
         (test-equal "IPv4" (list INADDR_LOOPBACK) (look-up "127.0.0.1"))
         (test-equal "IPv6" '(1)
           (map (lambda (entry) (sockaddr:addr (addrinfo:addr entry)))
                (getaddrinfo "::1" "80" 0 AF_INET6 SOCK_STREAM)))
         (test-equal "a host's entry" (list address)
           (hostent:addr-list (gethost "192.0.2.7")))
         (let ((values (map join tasks)))
           (set! ended? #t)
           (delete-duplicates values)))))
    (test-assert (list "at most 32 threads, not" most) (<= 1 most 32))
    (test-assert (list "other tasks ran" ticks) (> ticks 10))
    (test-assert "no thread is left" (reply-until server before))))

(test-case "each network namespace asks its own name server"
  (require-network)
  (call-with-namespaces 1
    (lambda (name)
      (define (server-there) (in-namespace name name-server))
      (let-ports ((here (name-server)) (there (server-there)))
        (define (look-up-there)
          (in-namespace name (lambda () (look-up "same.test"))))
        (let* ((threads (list (begin-thread (look-up "same.test"))
                              (begin-thread (look-up-there))))
               (query-here (next-query here))
               (query-there (next-query there)))
          (reply! there query-there (+ 1 address))
          (reply! here query-here address)
          (test-equal "at the same time, the same name"
            (list (list address) (list (+ 1 address)))
            (map join-thread threads)))))))

(define (write-file name . lines)
  (call-with-output-file name
    (lambda (port)
      (for-each (lambda (line) (display line port) (newline port)) lines))))

(test-case "a name server that is changed is asked next"
  (require-network)
  (let-ports ((first (name-server)) (second (socket AF_INET SOCK_DGRAM 0)))
    (bind second AF_INET (inet-pton AF_INET "127.0.0.2") 53)
    (define (answered-by server name answer)
      (let ((thread (begin-thread (look-up name))))
        (reply! server (next-query server) answer)
        (join-thread thread)))
    (test-equal "before" (list address)
      (answered-by first "before.test" address))
    (write-file "/etc/resolv.conf" "nameserver 127.0.0.2"
                "options timeout:30 attempts:1")
    (test-equal "after" (list (+ 1 address))
      (answered-by second "after.test" (+ 1 address)))
    (write-file "/etc/resolv.conf" "nameserver 127.0.0.1"
                "options timeout:30 attempts:1")))

(test-case "so is a hosts file"
  (require-network)
  (with-temporary-directory
   (lambda (directory)
     (define hosts (string-append directory "/hosts"))
     (write-file hosts "127.0.0.1 localhost" "192.0.2.7 made.test")
     (unless (zero? (status:exit-val
                     (system* "mount" "--bind" hosts "/etc/hosts")))
       (skip "cannot mount here"))
     (dynamic-wind
       (const #t)
       (lambda ()
         (test-equal "an entry" (list address) (look-up "made.test"))
         (write-file "/etc/hosts" "127.0.0.1 localhost" "192.0.2.8 made.test")
         (test-equal "that is changed" (list (+ 1 address))
           (look-up "made.test")))
       (lambda () (system* "umount" "/etc/hosts"))))))

(test-case "a name that has none, and must"
  (require-network)
  (let-ports ((server (name-server)))
    (let ((thread (begin-thread
                   (catch 'getaddrinfo-error
                     (lambda ()
                       (getnameinfo (make-socket-address AF_INET address 80)
                                    NI_NAMEREQD))
                     (lambda (key code) code)))))
      (reply! server (next-query server))
      (test-equal EAI_NONAME (join-thread thread)))))

(test-end "resolve-crowd")
