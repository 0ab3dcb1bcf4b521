;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A name server for tests, in network and mount namespaces of its own, where
;;; /etc/resolv.conf names it.  It answers when it is told to, and what it is told.

(define-module (harness dns)
  #:use-module (harness)
  #:use-module (harness process)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport)
  #:export (in-own-network
            require-network
            name-server
            next-query
            reply!
            address
            look-up
            thread-count
            reply-until))

(define set-up-script "
ip link set lo up &&
echo 'nameserver 127.0.0.1
options timeout:30 attempts:1' >\"$SOCKPORT_RESOLV\" &&
mount --bind \"$SOCKPORT_RESOLV\" /etc/resolv.conf &&
exec \"$@\"")

(define (in-own-network)
  "Go on in namespaces of this program's own: #f if that cannot be had here.  The
program begins anew in them."
  (cond ((getenv "SOCKPORT_RESOLV") => (lambda (file)
                                         (when (file-exists? file)
                                           (delete-file file))
                                         #t))
        ((not (zero? (status:exit-val
                      (system* "unshare" "--net" "--mount" "ip" "link" "set"
                               "lo" "up"))))
         #f)
        (else
         (setenv "SOCKPORT_RESOLV" (tmpnam))
         (unsetenv "RES_OPTIONS")
         (apply execlp "unshare" "unshare" "--net" "--mount" "sh" "-c"
                set-up-script "sh" "guile" "--no-auto-compile" "-s"
                (command-line)))))

(define (require-network)
  (unless (getenv "SOCKPORT_RESOLV") (skip "needs root, unshare and ip")))

(define (name-server)
  "Return a socket that is asked for every name."
  (let ((sock (socket AF_INET SOCK_DGRAM 0)))
    (bind sock AF_INET INADDR_LOOPBACK 53)
    sock))

;;; RFC 1035, 4.1: the question begins at octet 12.

(define (name-at query start)
  "Return the name in QUERY at START, and where it ends."
  (let next ((at start) (labels '()))
    (let ((length (bytevector-u8-ref query at)))
      (if (zero? length)
          (values (string-join (reverse labels) ".") (+ at 1))
          (let ((label (make-bytevector length)))
            (bytevector-copy! query (+ at 1) label 0 length)
            (next (+ at 1 length) (cons (utf8->string label) labels)))))))

(define (next-query server)
  "Wait for a question: a list of its name, its type (1 for A, 28 for AAAA), and
what reply! needs."
  (match (recvfrom server 512)
    ((query . client)
     (call-with-values (lambda () (name-at query 12))
       (lambda (name end)
         (list name (bytevector-u16-ref query end (endianness big))
               query (+ end 4) client))))))

(define (reply! server query . addresses)
  "Answer QUERY, a value of next-query, with ADDRESSES of its type, as integers; none
says that there are none of that type."
  (match query
    ((_ type question end client)
     (let* ((size (if (= type 1) 4 16))
            (wanted addresses)
            (message (make-bytevector (+ end (* (+ 12 size) (length wanted)))
                                      0)))
       (bytevector-copy! question 0 message 0 end)
       (bytevector-u16-set! message 2 #x8180 (endianness big))
       (bytevector-u16-set! message 6 (length wanted) (endianness big))
       (bytevector-u16-set! message 10 0 (endianness big))
       (let next ((at end) (wanted wanted))
         (unless (null? wanted)
           ;; The name by reference, type, IN, no life time, length.
           (for-each (lambda (index value)
                       (bytevector-u16-set! message (+ at index) value
                                            (endianness big)))
                     '(0 2 4 10) (list #xc00c type 1 size))
           (bytevector-uint-set! message (+ at 12) (car wanted)
                                 (endianness big) size)
           (next (+ at 12 size) (cdr wanted))))
       (sendto server message client)))))

;;; What most tests ask, and what is left of it.

(define address #xc0000207)             ; 192.0.2.7

(define (look-up name)
  "Return the IPv4 addresses of NAME."
  (map (lambda (entry) (sockaddr:addr (addrinfo:addr entry)))
       (getaddrinfo name "80" 0 AF_INET SOCK_STREAM)))

(define (thread-count)
  (length (scandir "/proc/self/task" string->number)))

(define (reply-until server threads)
  "Reply to whatever is asked until no more than THREADS are left, those of look-ups
that were given up among them; #f if that does not come."
  (set-nonblocking! server #t)
  (let ((left? (wait-until
                (lambda ()
                  (match (false-if-exception (next-query server))
                    (#f (<= (thread-count) threads))
                    (query (reply! server query address) #f))))))
    (set-nonblocking! server #f)
    left?))
