;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What is exported is what is documented and what is tested, name by name: the
;;; modules' exports, and the symbols of both libraries.

(use-modules (harness)
             (harness exported)
             (harness process)
             (ice-9 ftw)
             (ice-9 match)
             (ice-9 regex)
             (ice-9 textual-ports)
             (srfi srfi-1))

(define source (getenv "SOCKPORT_SOURCE"))
(define build (getenv "SOCKPORT_BUILD"))

(define tls?
  (file-exists? (string-append build "/module/sockport/tls-primitive.scm")))

(define (files-under directory suffixes)
  (let ((found '()))
    (nftw directory
          (lambda (name stat flag base level)
            (when (and (eq? flag 'regular)
                       (any (lambda (suffix) (string-suffix? suffix name))
                            suffixes))
              (set! found (cons name found)))
            #t))
    found))

(define (text-of files)
  (string-concatenate
   (map (lambda (file)
          (call-with-input-file file get-string-all #:encoding "UTF-8"))
        files)))

(define (tokens text)
  "Return the set of the words of TEXT, as Scheme and C have them."
  (let ((set (make-hash-table)))
    (for-each (lambda (word) (hash-set! set word #t))
              (string-tokenize
               text (char-set-delete char-set:graphic
                                     #\( #\) #\[ #\] #\{ #\} #\' #\` #\, #\;
                                     #\" #\@ #\& #\.)))
    set))

(define (missing-from set names)
  (sort (remove (lambda (name) (hash-ref set name)) names) string<?))

;;; The documents.

(define documents
  (append (files-under (string-append source "/doc") '(".texi"))
          (files-under (string-append build "/doc") '(".texi"))))

;; Category, or none; then, for what has a type, the type; then the name.
(define definition
  (make-regexp
   (string-append
    "^@(def(fn|vr|tp)x? (\\{[^}]*\\}|[^ ]+)"
    "|def(un|mac|spec|var|opt)x?"
    "|deftypefunx? (\\{[^}]*\\}|[^ ]+)"
    "|deftypefnx? (\\{[^}]*\\}|[^ ]+) (\\{[^}]*\\}|[^ ]+)"
    "|[fv]index) +\\{?([^ }]+)\\}?")
   regexp/newline))

(define documented
  (let ((set (make-hash-table)))
    (for-each (lambda (found)
                (hash-set! set (match:substring found 8) #t))
              (list-matches definition (text-of documents)))
    set))

(define mentioned (tokens (text-of documents)))

;; Each example is run by a test.
(define tested
  (tokens (text-of
           (delete (string-append source "/tests/scheme/surface.scm")
                   (append-map (lambda (directory)
                                 (files-under (string-append source directory)
                                              '(".scm" ".c" ".py")))
                               '("/tests" "/examples"))))))

;;; Scheme.

(define stems (public-stems))

;; Their tests go through all names in a loop, from the same table.
(define tested-by-loop '((sockport structure)))

(define (exports module)
  (map symbol->string
       (module-map (lambda (name variable) name) (resolve-interface module))))

(define (constant? name)
  (string-match "^[A-Z][A-Z0-9]+_[A-Za-z0-9_]+$|^SOMAXCONN$" name))

;; The words of the tests are without what C puts before an address.
(define (unmarked name)
  (string-trim name #\&))

(define (check-module module)
  (call-with-values (lambda () (partition constant? (exports module)))
    (lambda (constants others)
      (test-equal (list module "is documented") '()
        (missing-from documented others))
      (test-equal (list module "has its constants in the manual") '()
        (missing-from mentioned constants))
      (unless (member module tested-by-loop)
        (test-equal (list module "is tested") '()
          (missing-from tested (map unmarked others)))))))

;;; C.

(define (lines-of . command)
  (call-with-values (lambda () (apply run-program command))
    (lambda (status output) (string-split output #\newline))))

(define (symbols library)
  (filter-map
   (lambda (line)
     (match (string-tokenize line)
       ((_ (or "T" "D" "B" "R") name)
        (car (string-split name #\@)))
       (_ #f)))
   (lines-of "nm" "-D" "--defined-only" (string-append build library))))

(define declaration (make-regexp "((scm_)?skp_[a-z0-9_]+) *\\("))

(define (declared predicate)
  (delete-duplicates
   (filter predicate
           (append-map
            (lambda (part)
              ;; SKP_API up to the end of the declaration; the first name
              ;; before a parenthesis is the function's.
              (match (regexp-exec declaration part)
                (#f '())
                (found (list (match:substring found 1)))))
            (cdr (list-split "SKP_API"
                             (text-of (files-under
                                       (string-append source "/include")
                                       '(".h")))))))))

(define (list-split separator text)
  (let loop ((start 0) (parts '()))
    (match (string-contains text separator start)
      (#f (reverse (cons (substring text start) parts)))
      (at (loop (+ at (string-length separator))
                (cons (substring text start at) parts))))))

(define (documented-name symbol)
  "Return the manual's own name of SYMBOL, which guile-names.h maps to it."
  (replace-prefix "scm_skp_" "scm_" symbol))

(define (replace-prefix old new name)
  (if (string-prefix? old name)
      (string-append new (substring name (string-length old)))
      name))

(define (check-library library mine?)
  (let ((exported (symbols library)))
    (test-equal (list library "exports what the headers declare") '()
      (sort (lset-xor string=? exported (declared mine?)) string<?))
    (test-equal (list library "is documented") '()
      (missing-from documented exported))
    (test-equal (list library "is tested") '()
      (remove (lambda (name) (hash-ref tested (documented-name name)))
              (missing-from tested exported)))))

(define macro
  (make-regexp "^# *define ((SKP|scm)_[A-Za-z0-9_]+)" regexp/newline))

(define (macros)
  "Return the macros of the public headers but those that guard a header."
  (remove (lambda (name) (string-suffix? "_H" name))
          (map (lambda (found) (match:substring found 1))
               (list-matches macro
                             (text-of (files-under
                                       (string-append source "/include")
                                       '(".h")))))))

(define (guile-name? name) (string-prefix? "scm_" name))
(define (tls-name? name) (string-prefix? "skp_tls_" name))

;;; Guile's own names.  Those of (sockport) that Guile has too mean what Guile's
;;; mean, on every release; `spawn' for one is a process since Guile 3.0.9.
(define replaced
  '(accept bind close close-port connect dynamic-wind getaddrinfo gethost
    gethostbyaddr gethostbyname getnet getnetbyaddr getnetbyname getpeername
    getproto getprotobyname getprotobynumber getserv getservbyname getservbyport
    getsockname getsockopt inet-ntop inet-pton listen make-socket-address recv! recvfrom!
    send sendfile sendto setsockopt shutdown sleep sockaddr:addr sockaddr:fam
    sockaddr:flowinfo sockaddr:path sockaddr:port sockaddr:scopeid socket
    socketpair))

(define of-later-releases '(spawn pipe2 bytevector-slice))

(define core (resolve-interface '(guile)))

;; Before the first case: where nothing is compiled this takes longer than a case may.
(for-each (lambda (stem) (exports (list 'sockport (string->symbol stem)))) stems)
(exports '(sockport))

(define (core-value name)
  (let ((variable (module-variable core name)))
    (and variable (variable-ref variable))))

(define (ours name)
  (module-ref (resolve-interface '(sockport)) name))

(define (same-number? name)
  (and (number? (core-value name)) (= (core-value name) (ours name))))

(test-begin "surface")

(test-case "modules"
  (for-each (lambda (stem)
              (check-module (list 'sockport (string->symbol stem))))
            stems))

(test-case "(sockport) has everything, and only names of its modules"
  (let ((all (append-map
              (lambda (stem)
                (exports (list 'sockport (string->symbol stem))))
              stems)))
    (test-equal "only" '() (lset-difference string=? (exports '(sockport))
                                            all))))

(test-case "names that Guile has too"
  (let ((shared (filter (lambda (name)
                          (or (core-value name) (memq name of-later-releases)))
                        (map string->symbol (exports '(sockport))))))
    (test-equal "constants are Guile's, procedures are drop-ins" '()
      (lset-difference eq? (remove same-number? shared) replaced))
    (test-equal "no drop-in is missing" '()
      (lset-difference eq? replaced shared))))

(test-case "libraries"
  (require-program "nm")
  (check-library "/src/libsockport.so"
                 (lambda (name) (not (or (guile-name? name) (tls-name? name)))))
  (when tls?
    (check-library "/tls/libsockport-tls.so" tls-name?))
  (check-library "/guile/libguile-sockport.so" guile-name?))

(test-case "macros"
  (test-assert "there are some" (member "SKP_POLLER_READ" (macros)))
  (test-equal "are documented" '() (missing-from documented (macros))))

(test-end "surface")
