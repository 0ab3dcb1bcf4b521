;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the command sockport prints: listings, probes, measurements, help and
;;; errors, and that its manual page and completions know the same options.

(use-modules (harness) (harness command) ((harness dns) #:select (in-own-network))
             (harness json) (harness process)
             (harness socket) (ice-9 match) (ice-9 regex) (ice-9 textual-ports)
             (srfi srfi-1) (sockport))

(in-own-network)                        ; where no other test listens

(define (lines text)
  (string-split (string-trim-right text #\newline) #\newline))

(define (json-lines . arguments)
  (match (apply run-sockport "" arguments)
    ((0 "") '())
    ((0 output) (map string->json (lines output)))))

(define (text address) (socket-address->string address))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "command-text")

(test-case "probe"
  (let-ports ((listener (tcp-listener)))
    (define where (text (getsockname listener)))
    (match (run-sockport "" "probe" where)
      ((status output)
       (test-equal "status" 0 status)
       (test-assert "the address" (string-contains output where))
       (test-assert "drawn" (string-match "\\| *-*o *\\| [0-9.]+ to [0-9.]+ ms connected"
                                          output))))
    (match (json-lines "probe" "--json" where)
      ((found)
       (test-equal "connected" (list where #f)
         (match (assoc-ref found "addresses")
           ((one) (list (assoc-ref one "address") (assoc-ref one "error")))))
       (test-equal "won" "connected"
         (assoc-ref (first (assoc-ref found "race")) "outcome"))))
    (close-port listener)
    (match (run-sockport "" "probe" where)
      ((status output)
       (test-equal "refused" 1 status)
       (test-assert "in words" (string-contains output "Connection refused"))
       (test-assert "drawn" (string-contains output "x"))))))

(test-case "probe, of a name with two addresses"
  (let-ports ((listener (tcp-listener)))
    (define port (sockaddr:port (getsockname listener)))
    (match (json-lines "probe" "--json" (format #f "localhost:~a" port))
      ((found)
       (let ((race (assoc-ref found "race")))
         (test-equal "the last one wins" "connected"
           (assoc-ref (last race) "outcome"))
         (test-equal "that one" (format #f "127.0.0.1:~a" port)
           (assoc-ref (last race) "address")))))))

(test-case "probe, of what is not there"
  (with-temporary-directory
   (lambda (directory)
     (match (run-sockport "" "probe" (string-append "unix:" directory "/none"))
       ((status output)
        (test-equal 1 status)
        (test-assert "in words"
          (string-contains output "No such file or directory")))))))

(define (listing . arguments)
  (apply json-lines "ls" "--json" arguments))

(define (entry-of sock listing)
  "Return what LISTING has for SOCK, whose port a connection that is over may have had."
  (find (lambda (one)
          (and (equal? (text (getsockname sock)) (assoc-ref one "local"))
               (not (equal? (assoc-ref one "state") "time-wait"))))
        listing))

(test-case "ls, TCP"
  (let-ports ((listener (tcp-listener)) (pair (tcp-pair)))
    (send (cdr pair) "12345")
    (let* ((all (listing "tcp")) (one (entry-of (car pair) all)))
      (test-equal "a listener" "listening"
        (assoc-ref (entry-of listener all) "state"))
      (test-equal "a connection" "established" (assoc-ref one "state"))
      (test-equal "its peer" (text (getpeername (car pair)))
        (assoc-ref one "peer"))
      (test-equal "what is not received" 5 (assoc-ref one "receive-queue"))
      (test-assert "its round trip" (number? (assoc-ref one "rtt-ms"))))
    (let ((listeners (listing "--listening" "--family=4" "tcp")))
      (test-equal "only listeners" '("listening")
        (delete-duplicates (map (lambda (one) (assoc-ref one "state"))
                                listeners)))
      (test-equal "of one family" '()
        (remove (lambda (one) (string-prefix? "127." (assoc-ref one "local")))
                (filter (lambda (one)
                          (string-prefix? "[" (assoc-ref one "local")))
                        listeners))))))

(test-case "ls, UDP and UNIX"
  (let-ports ((udp (socket AF_INET SOCK_DGRAM 0)) (unix (unix-listener)))
    (bind udp AF_INET INADDR_LOOPBACK 0)
    (let ((all (listing)))
      (test-equal "UDP" "bound" (assoc-ref (entry-of udp all) "state"))
      (test-equal "UNIX" "listening" (assoc-ref (entry-of unix all) "state")))
    (with-temporary-directory
     (lambda (directory)
       (let ((name (string-append directory "/s")))
         (let-ports ((bound (socket AF_UNIX SOCK_DGRAM 0)))
           (bind bound AF_UNIX name)
           (test-assert "a path"
             (any (lambda (one)
                    (equal? (assoc-ref one "local") (string-append "unix:" name)))
                  (listing "unix")))))))
    (test-equal "of one kind" '("udp")
      (delete-duplicates (map (lambda (one) (assoc-ref one "protocol"))
                              (listing "udp"))))))

(define (listeners-by-ss)
  (call-with-values (lambda () (run-program "ss" "-Htln4"))
    (lambda (status output)
      (map (lambda (line) (fourth (string-tokenize line))) (lines output)))))

(test-case "ls, as ss has it"
  (require-program "ss")
  (let-ports ((listener (tcp-listener)))
    ;; Without a namespace of its own, others may begin and end to listen meanwhile.
    (let* ((before (listeners-by-ss))
           (ours (map (lambda (one)
                        (regexp-substitute/global #f "%.*(:[0-9]+)$"
                                                  (assoc-ref one "local")
                                                  'pre 1 'post))
                      (listing "--listening" "--family=4" "tcp")))
           (after (listeners-by-ss)))
      (test-equal "all of those" '()
        (lset-difference string=? (lset-intersection string=? before after) ours))
      (test-equal "no other" '()
        (lset-difference string=? ours (lset-union string=? before after)))
      (test-assert "the one that is there all the time"
        (member (socket-address->string (getsockname listener)) ours)))))

(test-case "bench"
  (call-with-server '("echo" "127.0.0.1:0")
    (lambda (peer address)
      (match (json-lines "bench" "--connections=3" "--size=100" "--seconds=0.2"
                         "--json" address)
        ((result)
         (test-equal '(3 100)
           (list (assoc-ref result "connections") (assoc-ref result "size")))
         (test-assert "some" (positive? (assoc-ref result "exchanges")))
         (test-assert "in order" (<= (assoc-ref result "median-ms")
                                     (assoc-ref result "p99-ms")
                                     (assoc-ref result "longest-ms")))))
      (match (run-sockport "" "bench" "--seconds" "0.1" address)
        ((status output)
         (test-equal 0 status)
         (test-assert "in words" (string-contains output "10 connections")))))))

(test-case "errors and their statuses"
  (define (refused status words . arguments)
    (match (apply run-sockport "" arguments)
      ((actual output)
       (test-equal (list arguments 'status) status actual)
       (test-assert (list arguments output) (string-contains output words))
       (test-equal (list arguments 'lines) 1 (length (lines output))))))
  (let-ports ((listener (tcp-listener)))
    (define where (text (getsockname listener)))
    (refused 1 "Address already in use" "echo" where)
    (close-port listener)
    (refused 1 "Connection refused" "connect" where))
  (refused 2 "there is no command frobnicate" "frobnicate")
  (refused 2 "connect takes WHERE" "connect")
  (refused 2 "connect takes WHERE" "connect" "a:1" "b:2")
  (refused 2 "no option --frob" "connect" "--frob" "a:1")
  (refused 2 "no option --delay" "connect" "--delay=1" "a:1")
  (refused 2 "--deadline is to be SECONDS, not soon" "connect"
           "--deadline=soon" "a:1")
  (refused 2 "--family needs 4|6" "connect" "a:1" "--family")
  (refused 2 "--json takes no value" "connect" "--json=1" "a:1")
  (refused 2 "no command after --" "listen" "127.0.0.1:0" "--")
  (refused 2 "host:port" "connect" "nonsense")
  (refused 2 "70000" "connect" "127.0.0.1:70000")
  (refused 2 "sockport: 8080 is not right: expecting text such as host:port; port 8080"
           "listen" "8080")
  (refused 2 "tcp, udp or unix" "ls" "sctp")
  (refused 1 "sockport: no address is of the family that is wanted" "connect"
           "--family=6" "127.0.0.1:1")
  (refused 3 "127.0.0.1, nosuchservice cannot be looked up: there is no such service"
           "connect"
           "127.0.0.1:nosuchservice"))

;;; Help, the manual page and the completions.

(define (words-of text)
  (delete-duplicates
   (map match:substring (list-matches "--[a-z][a-z-]+" text))))

(define (file-text name)
  (call-with-input-file (string-append (getenv "SOCKPORT_SOURCE") "/bin/" name)
    get-string-all))

(define commands '("connect" "listen" "proxy" "probe" "ls" "echo" "bench"))

(define (help command) (second (run-sockport "" command "--help")))

(test-case "help"
  (test-equal "what there is" commands
    (filter-map (lambda (line)
                  (and=> (string-match "^  ([a-z]+) " line)
                         (lambda (found) (match:substring found 1))))
                (lines (second (run-sockport "" "--help")))))
  (test-equal "version" 0 (first (run-sockport "" "--version")))
  (let ((options (delete-duplicates (append-map (lambda (command)
                                                  (words-of (help command)))
                                                commands)))
        (page (words-of (string-filter
                         (lambda (char) (not (char=? char #\\)))
                         (file-text "sockport.1")))))
    (test-equal "in the manual page" '()
      (lset-difference string=? options page))
    (test-equal "and no others" '("--version")
      (lset-difference string=? page options))
    (test-equal "in zsh's completion" '()
      (lset-difference string=? options (words-of (file-text "_sockport"))))))

(define (completions . words)
  (string-tokenize
   (second
    (call-with-values
        (lambda ()
          (run-program "bash" "-c"
                       (format #f "source ~a/bin/sockport.bash
COMP_WORDS=(~a) COMP_CWORD=~a
_sockport
printf '%s\\n' \"${COMPREPLY[@]}\""
                               (getenv "SOCKPORT_SOURCE")
                               (string-join (map (lambda (word)
                                                   (format #f "~s" word))
                                                 words))
                               (- (length words) 1))))
      list))))

(test-case "bash's completion"
  (require-program "bash")
  (test-equal "commands" commands
    (filter (lambda (word) (member word commands)) (completions "sockport" "")))
  (test-equal "part of one" '("probe" "proxy")
    (sort (completions "sockport" "pr") string<?))
  (for-each (lambda (command)
              (test-equal command
                (sort (delete-duplicates (words-of (help command))) string<?)
                (sort (append-map words-of (completions "sockport" command "--"))
                      string<?)))
            commands))

(test-end "command-text")
