;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A connection of HTTP from its first request to its close: the handler is
;;; called, what it returns is sent, and on every way out the client can read all
;;; that was sent to it.

(define-module (sockport serve http-connection)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport constant)
  #:use-module (sockport primitive)
  #:use-module (sockport serve http-admission)
  #:use-module (sockport serve http-body)
  #:use-module (sockport serve http-part)
  #:use-module (sockport serve failure)
  #:use-module (sockport serve http-request)
  #:use-module (sockport serve http-response)
  #:use-module (sockport serve http-result)
  #:use-module (sockport serve http-phase)
  #:use-module (sockport serve http-site)
  #:use-module (sockport serve listeners)
  #:use-module (sockport serve request-id)
  #:use-module (sockport socket)
  #:use-module (sockport task)
  #:use-module (sockport task exception)
  #:use-module (sockport transfer)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web uri)
  #:export (converse))

;;; Exceptions.

(define (target-text request)
  (let ((uri (request-uri request)))
    (if (uri-query uri)
        (string-append (uri-path uri) "?" (uri-query uri))
        (uri-path uri))))

(define (log-error connection request exception stack handler)
  (let ((share (connection-share connection)))
    (count! share 'errors 1)
    (say (settings-log (share-settings share))
         (failure->text exception
                        (format #f "~a from ~a~a"
                                (if request
                                    (format #f "~a ~a" (request-method request)
                                            (target-text request))
                                    "what was no request")
                                (address->text (connection-peer connection))
                                (if request (id-text request) ""))
                        stack handler))))

(define (refused? exception)
  "Does EXCEPTION say that the body of a request, which a handler reads, is none?"
  (eq? 'refused-request (exception-kind exception)))

;;; Answering.

(define (client-gone? exception)
  (and (eq? 'system-error (exception-kind exception))
       (memv (system-error-errno (cons 'system-error
                                       (exception-args exception)))
             (list ECONNRESET EPIPE ETIMEDOUT ENOTCONN))
       #t))

(define (send-prepared connection head rest keep?)
  "Send HEAD and REST, as `prepare-response' has made them; return whether the
connection is kept."
  (now-sending! connection)
  (cond ((not (procedure? rest))
         (send-response connection head rest)
         keep?)
        (else
         (when head (send-response connection head '()))
         (rest))))

(define (kept? connection response asked?)
  (and asked?
       (not (share-draining? (connection-share connection)))
       (not (asks-to-close? response))
       (may-end-body? connection)))

(define (answer connection request body asked?)
  "Have REQUEST handled and send the response; return its code and whether the
connection is kept."
  (let ((handler (settings-handler
                  (share-settings (connection-share connection))))
        (code 500) (upgraded? #f) (returned? #f))
    (define (respond response body)
      (let* ((response (with-id (response-to request response body) request))
             (keep? (kept? connection response asked?)))
        (set! code (response-code response))
        (call-with-values
            (lambda ()
              (prepare-response connection request response body keep?))
          (lambda (head rest)
            (set! upgraded? (upgrade? request response))
            (send-prepared connection head rest keep?)))))
    ;; While that is false, a failure can be told.
    (define (begun?)
      (let ((output (connection-output connection)))
        (or (connection-begun? connection)
            (and output (%http-output-begun? output)))))
    (define (failed exception stack)
      (unless (or (refused? exception)
                  (and (or returned? (body-broken? connection))
                       (client-gone? exception)))
        (log-error connection request exception stack handler))
      (cond ((or upgraded? (port-closed? (connection-sock connection))) #f)
            ((begun?)
             (note-cut! connection)
             'cut)
            (else
             (drop-output! connection)
             (when (refused? exception)
               (raise-exception exception))
             (set! code 500)
             (respond (build-response #:code 500) #f))))
    (set-connection-begun! connection #f)
    (let ((keep? (failing-to failed
                   (lambda ()
                     (call-with-values
                         (lambda ()
                           (with-default-prompt
                            (lambda () (handler request body))))
                       (case-lambda
                         ((response body . rest)
                          (set! returned? #t)
                          (set-connection-result! connection body)
                          (respond response body))
                         (few (apply refuse-values few))))))))
      (end-result! connection)
      (values code keep?))))

;;; When the connection is cancelled, that is the end of what it sends as well, which
;;; must not look whole.
(define (end-result! connection)
  (let ((output (connection-output connection)))
    (when (and output (%http-output-open-ended? output)
               (not (port-closed? (connection-sock connection))))
      (reset! connection)))
  (close-body-files (connection-result connection))
  (set-connection-result! connection #f))

(define (note-response connection request code begun)
  (let* ((share (connection-share connection))
         (sent (connection-sent connection))
         (note (settings-on-response (share-settings share))))
    (set-connection-request! connection #f)
    (count! share (+ (quotient code 100) (counter-index 'responses)) 1)
    (count! share 'bytes-out sent)
    ;; The response has gone: what fails here is not its client's matter.
    (when note
      (failing-to (lambda (exception stack)
                    (log-error connection request exception stack note))
        (lambda ()
          (with-default-prompt
           (lambda ()
             (note request code sent (connection-peer connection) begun))))))))

(define (identify connection request)
  "Return REQUEST with its id, if the server gives any."
  (let ((make (settings-request-id (share-settings (connection-share connection)))))
    (cond ((not make) request)
          ((eq? make new-request-id) (identified make request))
          (else
           (failing-to (lambda (exception stack)
                         (log-error connection request exception stack make)
                         (identified new-request-id request))
             (lambda () (identified make request)))))))

;;; Where the procedure fails, the body is not read, so the connection ends, too.
(define (body-as-port? connection request)
  (let ((chosen (settings-body-port (share-settings (connection-share connection)))))
    (if (procedure? chosen)
        (failing-to (lambda (exception stack)
                      (log-error connection request exception stack chosen)
                      (refuse-request 500))
          (lambda () (chosen request)))
        chosen)))

(define (next-exchange connection)
  "Read a request and answer it: #t if another may follow, #f at the end, or
`finish' or `cut', how to end."
  (call-with-values (lambda () (next-request connection))
    (lambda (request flags length)
      (cond ((not request) #f)
            (else
             (count! (connection-share connection) 'requests 1)
             (set-connection-request! connection request)
             (call-with-values
                 (lambda ()
                   (request-body connection request flags length body-as-port?))
               (lambda (request body)
                 (exchange connection (identify connection request) body
                           (keeps-alive? request flags)))))))))

(define (exchange connection request body asked?)
  (let ((begun (and (settings-on-response
                     (share-settings (connection-share connection)))
                    (monotonic-ns))))
    (unless (connection-input connection)
      (now-working! connection))
    (call-with-values (lambda () (answer connection request body asked?))
      (lambda (code keep?)
        (note-response connection request code begun)
        (cond ((port-closed? (connection-sock connection)) #f)
              ((eq? keep? 'cut) 'cut)
              ((and keep? (end-body! connection)) #t)
              (else 'finish))))))

;;; Ends.

(define (finish connection)
  "Say that nothing more comes, and wait, not for long, until the client has read
what came: closing a socket with input unread resets the connection."
  (let ((sock (connection-sock connection))
        (scratch (share-scratch (connection-share connection)))
        (most (+ (monotonic-ns) longest-linger)))
    (now-sending! connection)
    (shutdown sock SHUT_WR)
    (now-lingering! connection)
    (let again ()
      (unless (or (zero? (recv! sock scratch))
                  (> (monotonic-ns) most))
        (again)))))

(define (refuse connection code)
  "Answer what is no request, or too much of one, with CODE."
  (let* ((code (if (and (= code 400) (connection-cut? connection)) 408 code))
         (bytes (refusal-bytes connection code))
         (request (connection-request connection)))
    (count! (connection-share connection) 'refused 1)
    (now-sending! connection)
    (send-bytes connection bytes)
    (set-connection-sent! connection 0)
    (note-response connection request code (and request (monotonic-ns)))
    (finish connection)))

(define (serve-requests connection)
  (let ((next (next-exchange connection)))
    (cond ((eq? next #t) (serve-requests connection))
          ((eq? next 'finish) (finish connection))
          ((eq? next 'cut) (reset! connection)))))

(define (call-prologue connection)
  (let ((prologue (settings-prologue
                   (share-settings (connection-share connection)))))
    (when prologue
      (now-asked! connection)
      (set-connection-peer!
       connection
       (prologue (lambda (count) (receive-exactly connection count))
                 (connection-sock connection)
                 (connection-peer connection))))))

(define (refuse-client connection)
  "Tell one for whom there is no room.  Only a few can be waited for: listening must
not end, and neither must the descriptors."
  (let ((admission (admission-of connection)))
    (if (admit-refused! admission)
        (call-with-cleanup
         (lambda () (refuse connection 503))
         (lambda () (dismiss-refused! admission)))
        (begin
          (count! (connection-share connection) 'refused 1)
          (send-bytes connection (refusal-bytes connection 503))))))

(define (admission-of connection)
  (settings-admission (share-settings (connection-share connection))))

(define (serve-client connection)
  (let ((admission (admission-of connection)) (peer (connection-peer connection)))
    (if (admit-client! admission peer)
        (call-with-cleanup
         (lambda () (serve-requests connection))
         (lambda () (dismiss-client! admission peer)))
        (refuse-client connection))))

(define (converse share sock peer)
  "Serve the requests on SOCK."
  (let* ((connection (make-connection share sock peer))
         (admission (admission-of connection))
         (admitted? #f))
    (add-connection! share connection)
    (call-with-cleanup
     (lambda ()
       (set! admitted? (admit! admission))
       (if admitted?
           (catch 'refused-request
             (lambda ()
               (call-prologue connection)
               (serve-client connection))
             (lambda (key code)
               (refuse connection code)))
           (refuse-client connection)))
     (lambda ()
       (end-result! connection)
       (drop-body! connection)
       (when admitted? (dismiss! admission))
       (remove-connection! share connection)))))
