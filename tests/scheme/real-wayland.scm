;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The example's Wayland client against Weston without a screen, with wayland-info
;;; as the witness, and the compositor's own memory map.

(use-modules (harness) (harness example) (harness process)
             (sockport) (ice-9 match) (ice-9 rdelim) (ice-9 regex) (ice-9 textual-ports)
             (srfi srfi-1))

(define wayland (example "wayland.scm"))

(define (with-environment alist thunk)
  (let ((old (map (lambda (pair) (cons (car pair) (getenv (car pair))))
                  alist)))
    (define (set-all! alist)
      (for-each (lambda (pair) (setenv (car pair) (cdr pair))) alist))
    (dynamic-wind
      (lambda () (set-all! alist))
      thunk
      (lambda () (set-all! old)))))

(define (call-with-compositor proc)
  "Call PROC with Weston, ready for clients that this process starts."
  (require-program "weston")
  (with-temporary-directory
   (lambda (directory)
     (with-environment `(("XDG_RUNTIME_DIR" . ,directory)
                         ("WAYLAND_DISPLAY" . "sockport-test"))
       (lambda ()
         (call-with-peer
             (list "weston" "--backend=headless-backend.so" "--no-config"
                   "--socket=sockport-test" "--idle-time=0"
                   (string-append "--log=" directory "/log"))
           (lambda (weston)
             (test-assert "the compositor is ready"
               (wait-until (lambda ()
                             (answers? (string-append directory
                                                      "/sockport-test")))))
             (proc weston))))))))

(define (answers? name)
  (let* ((sock (socket AF_UNIX SOCK_STREAM 0))
         (answers? (false-if-exception
                    (begin (connect sock AF_UNIX name) #t))))
    (close-port sock)
    answers?))

(define (globals lines regexp)
  "The pairs of interface and version in LINES, sorted."
  (sort (filter-map (lambda (line)
                      (let ((found (regexp-exec regexp line)))
                        (and found
                             (string-append (match:substring found 1) " "
                                            (match:substring found 2)))))
                    lines)
        string<?))

(define (example-globals text)
  (globals (string-split text #\newline)
           (make-regexp "^[0-9]+ ([a-z0-9_]+) version ([0-9]+)$")))

(define (wayland-info-globals text)
  (globals (string-split text #\newline)
           (make-regexp "^interface: '([^']+)', +version: +([0-9]+)")))

(test-begin "real-wayland")

(test-case "globals, and shared memory"
  (call-with-compositor
   (lambda (weston)
     (match (output-of (wayland))
       ((status text)
        (test-equal "ends well" 0 status)
        (test-assert "a compositor"
          (find (lambda (global) (string-prefix? "wl_compositor " global))
                (example-globals text)))
        (test-assert "takes the memory"
          (string-contains text
                           "12288 bytes are shared, for pictures of ARGB8888"))
        (when (in-path "wayland-info")
          (test-equal "as wayland-info tells it"
            (wayland-info-globals (second (output-of '("wayland-info"))))
            (example-globals text))))))))

(test-case "the memory is the compositor's too"
  (call-with-compositor
   (lambda (weston)
     (define (shared?)
       (string-contains
        (call-with-input-file (format #f "/proc/~a/maps" (peer-pid weston))
          get-string-all)
        "/dev/shm/sockport-"))
     (test-assert "not yet" (not (shared?)))
     (call-with-peer (wayland "hold")
       (lambda (client)
         (let loop ()
           (unless (string-contains (read-line (peer-output client)) "shared")
             (loop)))
         (test-assert "while the client is there" (shared?))
         (test-equal "the client ends" 0
           (status:exit-val (peer-status client)))))
     (test-assert "and is given back"
       (wait-until (lambda () (not (shared?))))))))

(test-end "real-wayland")
