;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; examples/live: the chat and the view of connections, with WebSocket clients of
;;; ours and with a real browser, whose page is looked at as text and as a picture.

(use-modules (harness)
             (harness process)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 regex)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport websocket))

(define (call-with-live proc)
  "Call PROC with the address of the page, without its slash."
  (call-with-peer (list "guile" "--no-auto-compile" "-s"
                        (string-append (getenv "SOCKPORT_SOURCE")
                                       "/examples/live/live.scm")
                        "127.0.0.1:0")
    (lambda (peer)
      (proc (string-trim-right (read-line (peer-output peer)) #\/))
      (kill (peer-pid peer) SIGTERM)
      (test-equal "SIGTERM ends it well" 0
        (status:exit-val (peer-status peer))))))

(define (enter url name)
  (let ((ws (open-websocket
             (string-append "ws" (substring url (string-length "http")) "/chat"))))
    (websocket-send ws name)
    ws))

(define (leave ws)
  (websocket-close ws)
  (close-port (websocket-socket ws)))

(define (hear ws pattern)
  "Receive until a message matches PATTERN, and return it."
  (let next ()
    (match (websocket-receive ws)
      ((? eof-object?) #f)
      (text (if (string-match pattern text) text (next))))))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "examples-live")

(test-case "a chat"
  (call-with-live
   (lambda (url)
     (let ((anna (enter url "Anna")))
       (test-assert "coming" (hear anna "^\\{\"come\":\"Anna\"\\}$"))
       (let ((ben (enter url "Ben \"B\"")))
         (test-assert "in as well" (hear anna "^\\{\"come\":\"Ben \\\\\"B\\\\\"\"\\}$"))
         (websocket-send ben "grüß dich")
         (test-assert "what one says, the other hears"
           (hear anna "^\\{\"from\":\"Ben .*,\"text\":\"grüß dich\"\\}$"))
         (test-assert "the connections, by the kernel's figures"
           (hear anna (string-append
                       "^\\{\"connections\":\\[\\{\"name\":\"Anna\","
                       "\"peer\":\"127\\.0\\.0\\.1:[0-9]+\".*\"rtt\":[1-9].*"
                       "\"name\":\"Ben .*\"received\":[1-9]")))
         (leave ben))
       (test-assert "going" (hear anna "^\\{\"gone\":\"Ben "))
       (websocket-send anna #vu8(1 2 3))
       (test-equal "bytes are not welcome" '(#f 1003)
         (list (hear anna "^never$") (websocket-close-code anna)))
       (close-port (websocket-socket anna))))))

;;; A browser.

(define browser (find in-path '("chromium" "chromium-browser")))

(define (chromium . arguments)
  (with-temporary-directory
    (lambda (directory)
      (call-with-values
          (lambda ()
            (apply run-program "sh" "-c" "exec \"$@\" 2>/dev/null" "sh" browser
                   "--headless" "--no-sandbox" "--disable-gpu"
                   "--no-first-run" "--disable-background-networking"
                   "--disable-component-update" "--disable-sync"
                   "--force-color-profile=srgb" "--window-size=1000,600"
                   "--virtual-time-budget=4000"
                   (string-append "--user-data-dir=" directory)
                   arguments))
        (lambda (status output) (and (eqv? status 0) output))))))

;; How long the browser looks is counted in its own time, which runs ahead of a
;; machine that has much to do.
(define (visit url text)
  "Return the page at URL once TEXT is on it, or what it was at the fifth visit."
  (let next ((left 5))
    (let ((page (chromium "--dump-dom" url)))
      (if (or (= left 1) (and page (string-contains page text)))
          page
          (next (- left 1))))))

(define (png-size bytes)
  "Return the width and the height of the picture BYTES, or #f if it is none."
  (and (> (bytevector-length bytes) 24)
       (= #x89504e47 (bytevector-u32-ref bytes 0 (endianness big)))
       (list (bytevector-u32-ref bytes 16 (endianness big))
             (bytevector-u32-ref bytes 20 (endianness big)))))

;; Nor does it always come to the picture there.
(define (screenshot url)
  "Return the bytes of a picture of the page at URL."
  (with-temporary-directory
    (lambda (directory)
      (let ((file (string-append directory "/picture.png")))
        (let next ((left 5))
          (chromium (string-append "--screenshot=" file) url)
          (if (or (= left 1) (file-exists? file))
              (call-with-input-file file get-bytevector-all #:binary #t)
              (next (- left 1))))))))

(define (call-with-guest url name proc)
  (let ((ws (enter url name)))
    (call-with-cleanup
     (lambda () (proc ws))
     (lambda () (close-port (websocket-socket ws))))))

;; A browser takes its time to begin, three times.
(parameterize ((case-seconds (* 5 (case-seconds))))
  (test-case "in a browser"
    (unless browser
      (skip "needs chromium"))
    (call-with-live
     (lambda (url)
       (define anna (string-append url "/?name=Anna&say=hello"))
       (call-with-guest url "Ben"
         (lambda (ben)
           (let ((page (visit anna "<b>Anna </b>hello")))
             (define (shows? text) (and page (string-contains page text) #t))
             (test-equal "the page shows what was said, and who is connected"
               '(#t #t #t #t #t #t)
               (map shows? '("<li class=\"note\">Anna has come</li>"
                             "<b>Anna </b>hello" "<td>Ben</td>" "<td>Anna</td>"
                             "2 connected" "role=\"status\" class=\"open\">connected"))))
           (test-assert "Ben has heard it"
             (hear ben "\"from\":\"Anna\",\"text\":\"hello\""))
           (let ((full (screenshot anna)) (empty (screenshot "about:blank")))
             (test-equal "a picture of it" '(1000 600) (png-size full))
             ;; A page without its style, or nothing, is much less to tell.
             (test-assert "with much on it"
               (> (bytevector-length full)
                  (* 4 (bytevector-length empty)))))))))))

(test-end "examples-live")
